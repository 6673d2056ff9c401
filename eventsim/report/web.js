"use strict";
// A network that runs in the page: its engine is WebAssembly, its tables are data. web.py writes both.
window.live = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const STATUS = ["", "", "a queue of arrivals is full, so export the page with recordings as busy as this one",
    "an event comes too late", "no such channel or time", "the engine computes other numbers than it should",
    "a neuron fires without end"];
  const COLOURS = ["--input", "--first", "--second", "--third", "--fourth"];
  const LOOKS = 100; // at the running answer, of a recording
  const STEP = 1; // ms of silence, whose spikes are polled together
  const AT_ONCE = 4096, EVENT = 16; // samples that the engine hears at a time; bytes of an event
  // Of a word at the microphone, ms: looks at its answer, sound before it, silence that ends it, longest.
  const LOOK = 20, BEFORE = 40, SILENCE = 200, LONGEST = 2000;
  const ABOVE = 10, LEAST = 1e-7, DOUBLES = 1000; // power over the room's, which may double in so many ms
  const at = name => document.getElementById(name);
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const senders = data.populations;
  const rows = senders.reduce((n, p) => n + p.size, 0);
  let engine, shown = null;

  async function start() {
    const made = await WebAssembly.instantiate(bytes(data.engine), {});
    const image = bytes(data.image), all = made.instance.exports;
    const need = data.place + image.length - all.memory.buffer.byteLength;
    if (need > 0) all.memory.grow(Math.ceil(need / 65536));
    new Uint8Array(all.memory.buffer).set(image, data.place);
    check(all.start(image.length));
    return all;
  }

  function check(status) {
    if (status) throw new Error(STATUS[status] || "there is not enough memory");
  }

  function scores() {
    const view = new DataView(engine.memory.buffer), place = engine.answer();
    const first = view.getUint32(place + 4, true);
    return {
      answer: view.getInt32(place, true),
      scores: data.classes.map((_, k) => view.getFloat32(first + 4 * k, true)),
    };
  }

  // One recording on its way through the network; `to` goes on in event time.
  class Run {
    constructor(recording) {
      Object.assign(this, { recording, next: 0, time: 0, spikes: [], looks: [], busy: 0, ended: false });
      this.end = recording.duration + data.tail;
      this.grid = recording.grid || recording.duration / LOOKS;
      engine.reset();
    }

    to(time) {
      const { times, channels, duration } = this.recording;
      const until = Math.min(time, duration);
      for (;;) {
        const look = this.grid * (this.looks.length + 1);
        const event = this.next < times.length ? times[this.next] : Infinity;
        if (event <= until && event <= look) {
          this.take(event, channels[this.next]);
        } else if (look <= until && look < duration) {
          this.timed(() => check(engine.advance(look)));
          this.poll();
          check(engine.preview(look));
          this.looks.push(scores());
        } else break;
      }
      if (time >= duration) this.silence(time);
      this.time = Math.max(this.time, time);
    }

    take(time, channel) {
      this.timed(() => check(engine.push(time, channel)));
      this.spikes.push({ time, population: 0, neuron: channel });
      this.next += 1;
      this.poll();
    }

    // The recording has ended; its answer is known before the silence behind it has passed.
    silence(time) {
      const { duration } = this.recording;
      if (!this.found) {
        const before = performance.now();
        check(engine.preview(duration));
        this.latency = performance.now() - before;
        this.found = scores();
      }
      for (let at = Math.max(duration, this.time); at < Math.min(time, this.end); at += STEP) {
        this.timed(() => check(engine.advance(at)));
        this.poll();
      }
      if (time >= this.end && !this.ended) this.finish();
    }

    finish() {
      this.timed(() => check(engine.decide(this.recording.duration)));
      this.poll();
      this.ended = true;
      this.found = scores();
      const same = this.looks.map(look => look.answer === this.found.answer);
      this.since = this.grid * (same.lastIndexOf(false) + 2);
      this.lost = engine.lost();
    }

    timed(work) {
      const before = performance.now();
      work();
      this.busy += performance.now() - before;
    }

    poll() {
      const view = new DataView(engine.memory.buffer);
      for (let s = engine.poll(); s; s = engine.poll()) {
        this.spikes.push({ time: view.getFloat64(s, true), population: view.getUint16(s + 8, true),
          neuron: view.getUint16(s + 10, true) });
      }
    }
  }

  // ---- audio -----------------------------------------------------------------------------------

  // The cochlea in the engine: samples to events, piece by piece. There is one at a time.
  class Ear {
    constructor(rate) {
      const kept = bytes(data.audio.coefficients[rate]), place = engine.audio_place(kept.length);
      if (!place) throw new Error("there is not enough memory");
      new Uint8Array(engine.memory.buffer).set(kept, place);
      check(engine.audio_start(place, kept.length));
      this.block = new Float64Array(kept.buffer)[3]; // samples after which events are known
    }

    // Times (ms since the first sample) and channels of the events in the next samples.
    hear(samples) {
      const times = [], channels = [];
      for (let k = 0; k < samples.length; k += AT_ONCE) {
        const part = samples.subarray(k, k + AT_ONCE);
        new Float64Array(engine.memory.buffer, engine.audio_in(), part.length).set(part);
        if (engine.audio_push(part.length)) throw new Error("the audio makes too many events");
        const view = new DataView(engine.memory.buffer, engine.audio_out());
        for (let i = 0; i < engine.audio_found(); i += 1) {
          times.push(view.getFloat64(EVENT * i, true));
          channels.push(view.getUint32(EVENT * i + 8, true));
        }
      }
      return { times, channels };
    }
  }

  // Samples of a WAV file, full scale 1, its channels averaged; null if a browser has to decode it.
  function wave(buffer) {
    const view = new DataView(buffer), name = at => String.fromCharCode(...new Uint8Array(buffer, at, 4));
    if (buffer.byteLength < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") return null;
    let form = null;
    for (let at = 12; at + 8 <= buffer.byteLength;) {
      const kind = name(at), size = view.getUint32(at + 4, true);
      at += 8;
      if (at + size > buffer.byteLength) throw new Error("the WAV file is cut off");
      if (kind === "fmt " && size >= 16) {
        const tag = view.getUint16(at, true);
        form = { tag: tag === 0xfffe && size >= 26 ? view.getUint16(at + 24, true) : tag,
          mixed: view.getUint16(at + 2, true), rate: view.getUint32(at + 4, true), bits: view.getUint16(at + 14, true) };
      } else if (kind === "data" && form) {
        const { rate, mixed } = form, read = reader(view, form), width = form.bits / 8;
        return read && { rate, mixed, samples: averaged(
          Math.floor(size / (mixed * width)), mixed, (i, k) => read(at + (i * mixed + k) * width)) };
      }
      at += size + size % 2;
    }
    throw new Error("the WAV file has no samples");
  }

  // What reads the sample at a place; null of a coding that is not known here.
  function reader(view, { tag, bits }) {
    return { "1 8": at => (view.getUint8(at) - 128) / 128, "1 16": at => view.getInt16(at, true) / 32768,
      "1 24": at => (view.getUint16(at, true) + 65536 * view.getInt8(at + 2)) / 8388608,
      "1 32": at => view.getInt32(at, true) / 2147483648, "3 32": at => view.getFloat32(at, true),
      "3 64": at => view.getFloat64(at, true) }[`${tag} ${bits}`] || null;
  }

  function averaged(n, mixed, read) {
    return Float64Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < mixed; k += 1) sum += read(i, k);
      return sum / mixed;
    });
  }

  // A file of audio as a recording; what was done to it is told with its answer.
  async function heardFile(buffer) {
    if (!data.audio.coefficients) throw new Error(`it is audio, and ${data.audio.reason}`);
    const { rate } = data.audio;
    let clip = wave(buffer), told = "";
    if (!clip || !data.audio.coefficients[clip.rate]) {
      const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(buffer).catch(() => {
        throw new Error("it is neither events nor audio that this browser decodes");
      });
      const mixed = decoded.numberOfChannels, parts = Array.from({ length: mixed }, (_, k) => decoded.getChannelData(k));
      clip = { rate, mixed, samples: averaged(decoded.length, mixed, (i, k) => parts[k][i]) };
      told = `, decoded and brought to ${rate} Hz by this browser`;
    }
    if (!clip.samples.length) throw new Error("the audio has no samples");
    const before = performance.now(), events = new Ear(clip.rate).hear(clip.samples);
    const took = performance.now() - before;
    return { ...events, duration: 1e3 * clip.samples.length / clip.rate,
      heard: `Audio at ${clip.rate} Hz${told}${clip.mixed > 1 ? `, mean of ${clip.mixed} channels` : ""}` +
        `${clip.rate === rate ? "" : `; the network has learned audio at ${rate} Hz`}. ` +
        `The cochlea took ${took.toFixed(0)} ms.` };
  }

  // Audio without an end, block by block. What is louder than the room is a word, a recording of its own.
  class Words {
    constructor(rate) {
      Object.assign(this, { rate, ear: new Ear(rate), heard: 0, room: Infinity, before: [], word: null });
    }

    // A block; the word that has ended with it, if one has.
    take(block) {
      const arrived = performance.now(), length = 1e3 * block.length / this.rate;
      const { times, channels } = this.ear.hear(block), power = block.reduce((sum, x) => sum + x * x, 0) / block.length;
      this.heard += block.length;
      this.time = 1e3 * (this.heard - this.heard % this.ear.block) / this.rate;
      this.room = Math.min(power, Math.max(this.room, 1e-12) * 2 ** (length / DOUBLES));
      const loud = power > ABOVE * this.room + LEAST;
      this.before.push(...times.map((time, k) => [time, channels[k]]));
      if (!this.word && loud) this.begin(Math.max(0, this.time - length - BEFORE));
      if (!this.word) {
        this.before = this.before.filter(([time]) => time > this.time - BEFORE - LOOK);
        return null;
      }
      const word = this.word, now = this.time - word.begin;
      for (const [time, channel] of this.before) {
        word.recording.times.push(time - word.begin);
        word.recording.channels.push(channel);
      }
      this.before = [];
      word.quiet = loud ? 0 : word.quiet + length;
      const over = word.quiet >= SILENCE || now >= LONGEST;
      if (over) word.recording.duration = Math.min(now, LONGEST);
      if (over) word.run.end = word.recording.duration + data.tail;
      word.run.to(over ? word.run.end : now);
      word.waits.push(performance.now() - arrived);
      if (over) this.word = null;
      return over ? word : null;
    }

    begin(time) {
      const recording = { times: [], channels: [], duration: LONGEST, grid: LOOK };
      this.before = this.before.filter(([one]) => one >= time);
      this.word = { begin: time, recording, run: new Run(recording), quiet: 0, waits: [] };
    }
  }

  // In a thread of its own: hands over what the microphone gives, 128 samples at a time.
  const WORKLET = `registerProcessor("blocks", class extends AudioWorkletProcessor {
    process(inputs) { if (inputs[0].length) this.port.postMessage(inputs[0][0].slice()); return true; }
  });`;
  // WebKit has another name where there is none: what is asked of it are wishes, which any microphone meets.
  const REFUSED = { NotAllowedError: "its use was not allowed", NotFoundError: "there is none",
    OverconstrainedError: "there is none", NotReadableError: "another program has it" };
  const STARTS = 2000; // ms for a browser to start its sound
  let microphone = null, asked = false; // asked: the browser has not said yet whether there is one

  async function opened() {
    if (!navigator.mediaDevices) throw new Error("this browser gives none to pages that are neither files nor https");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1,
      echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    const code = `data:text/javascript,${encodeURIComponent(WORKLET)}`; // of a file, no blob may be loaded
    let failed;
    // A browser that does not resample has one rate of its own.
    for (const options of [{ sampleRate: data.audio.rate }, {}]) {
      let context;
      try {
        context = new AudioContext(options);
        const source = context.createMediaStreamSource(stream);
        await context.audioWorklet.addModule(code);
        const node = new AudioWorkletNode(context, "blocks", { numberOfOutputs: 0 });
        source.connect(node);
        await started(context);
        return { stream, context, node };
      } catch (error) {
        failed = error;
        await context?.close();
      }
    }
    release(stream);
    throw failed;
  }

  // A browser that cannot play, or is not allowed to, waits, and gives no sound.
  function started(context) {
    const late = new Error("this browser does not start its sound; is there a device that plays?");
    return Promise.race([context.resume(), new Promise((_, fail) => setTimeout(fail, STARTS, late))]);
  }

  function release(stream) {
    stream.getTracks().forEach(track => track.stop());
  }

  async function hear() {
    if (asked) return;
    if (microphone) return deafen("The microphone is off.");
    cancelAnimationFrame(frame);
    choose(null);
    at("error").textContent = "";
    at("heard").textContent = "The browser asks for the microphone.";
    try {
      asked = true;
      microphone = await opened().finally(() => { asked = false; });
      const { node, context } = microphone, rate = context.sampleRate;
      if (!data.audio.coefficients[rate]) throw new Error(`it gives ${rate} Hz, which this page does not hear`);
      const words = new Words(rate);
      node.port.onmessage = event => heardBlock(words, event.data);
      at("microphone").textContent = "Microphone off";
      at("heard").textContent = `Listening at ${rate} Hz. Say a word. It ends with ${SILENCE} ms of silence, or after ` +
        `${LONGEST / 1e3} s. Nothing is kept or sent.` +
        (rate === data.audio.rate ? "" : ` The network has learned audio at ${data.audio.rate} Hz.`);
    } catch (error) {
      deafen(`The microphone cannot be used: ${REFUSED[error.name] || error.message}.`);
    }
  }

  function deafen(told) {
    if (microphone) {
      release(microphone.stream);
      microphone.context.close();
      microphone = null;
    }
    at("microphone").textContent = "Microphone";
    at("heard").textContent = told;
  }

  function heardBlock(words, block) {
    if (!microphone) return;
    try {
      const over = words.take(block), word = over || words.word;
      if (word && shown !== word.run) { at("told").textContent = ""; clear(shown = word.run); }
      if (over) {
        clear(over.run);
        done(over.run);
        at("told").textContent += ` ${toldOf(over, block.length / words.rate * 1e3)}`;
      }
      if (word) show(word.run);
    } catch (error) {
      words.word = null;
      fail(error);
    }
  }

  function toldOf(word, length) {
    const waits = word.waits.slice().sort((a, b) => a - b);
    return `From a block of ${length.toFixed(1)} ms of audio to the answer so far: median ` +
      `${waits[Math.floor(waits.length / 2)].toFixed(1)} ms, longest ${waits[waits.length - 1].toFixed(1)} ms.`;
  }

  // ---- what is seen ----------------------------------------------------------------------------

  const canvas = at("raster"), LEFT = 8, BELOW = 22;
  let drawn = 0;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // The least of 1, 2, 5, 10 .. ms by which an axis has at most so many marks.
  function ticks(end, most) {
    const ten = 10 ** Math.floor(Math.log10(end / most));
    return [1, 2, 5, 10].map(k => k * Math.max(ten, 1)).find(step => end / step <= most) || end;
  }

  function clear(run) {
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = colour("--muted");
    pen.font = "12px system-ui, sans-serif";
    const step = ticks(run.end, width / 70), room = width - 2 * LEFT;
    for (let time = 0; time <= run.end; time += step) {
      pen.textAlign = time === 0 ? "left" : "center";
      pen.fillText(time === 0 ? "0 ms" : `${time}`, LEFT + Math.min(room * time / run.end, room - 12), height - 6);
    }
    pen.fillStyle = colour("--line");
    let row = 0;
    for (const p of senders.slice(0, -1)) {
      row += p.size;
      pen.fillRect(LEFT, (height - BELOW) * row / rows, width - 2 * LEFT, 1);
    }
    const end = LEFT + (width - 2 * LEFT) * run.recording.duration / run.end;
    pen.fillRect(end, 0, 1, height - BELOW);
    drawn = 0;
  }

  function draw(run) {
    const pen = canvas.getContext("2d"), width = canvas.clientWidth - 2 * LEFT;
    const height = canvas.clientHeight - BELOW, size = Math.max(1, Math.min(3, height / rows));
    const first = [];
    senders.reduce((n, p) => (first.push(n), n + p.size), 0);
    const colours = COLOURS.map(colour);
    for (; drawn < run.spikes.length; drawn += 1) {
      const s = run.spikes[drawn];
      if (s.time > run.time && !run.ended) break;
      pen.fillStyle = colours[Math.min(s.population, colours.length - 1)];
      pen.fillRect(LEFT + width * s.time / run.end, height * (first[s.population] + s.neuron) / rows, 1.6, size);
    }
  }

  function bars(found) {
    const top = Math.max(...found.scores), weights = found.scores.map(s => Math.exp(s - top));
    const sum = weights.reduce((a, b) => a + b, 0);
    document.querySelectorAll("#classes li").forEach((item, k) => {
      const share = weights[k] / sum;
      item.querySelector(".bar").style.width = `${100 * share}%`;
      item.querySelector(".share").textContent = `${Math.round(100 * share)} %`;
      item.classList.toggle("best", k === found.answer);
    });
    at("answer").textContent = data.classes[found.answer];
  }

  function show(run) {
    draw(run);
    at("clock").textContent = `${Math.round(Math.min(run.time, run.end))} of ${Math.round(run.end)} ms`;
    const found = run.found || run.looks[run.looks.length - 1];
    if (found) bars(found);
  }

  function told(run) {
    const own = run.spikes.length - run.recording.times.length, name = data.classes[run.found.answer];
    const lines = [`Answer: ${name}.`];
    if (run.recording.heard) lines.push(run.recording.heard);
    if (run.recording.label) lines.push(`It was: ${run.recording.label}.`);
    lines.push(run.since < run.recording.duration
      ? `The answer stood from ${Math.round(run.since)} ms of ${Math.round(run.recording.duration)} ms on.`
      : "The answer came with the end of the recording.");
    lines.push(`From the end of the recording to the answer: ${run.latency.toFixed(1)} ms; computing took ` +
      `${run.busy.toFixed(0)} ms in all for ${run.recording.times.length} events and ${own} spikes.`);
    if (run.recording.answer !== undefined) {
      lines.push(run.recording.answer === run.found.answer ? "eventsim evaluate answers the same."
        : `eventsim evaluate answers ${data.classes[run.recording.answer]}.`);
    }
    if (run.lost) lines.push(`${run.lost} spikes are not drawn: they were too many at a time.`);
    return lines.join(" ");
  }

  let frame = 0;

  function play(recording, speed = Number(at("speed").value)) {
    cancelAnimationFrame(frame);
    shown = null;
    at("told").textContent = "";
    at("error").textContent = "";
    let run;
    try {
      run = new Run(recording);
    } catch (error) { return fail(error); }
    shown = run;
    clear(run);
    at("stop").disabled = false;
    let last = performance.now();
    const step = now => {
      try {
        run.to(speed > 0 ? run.time + Math.max(0, now - last) * speed : run.end);
      } catch (error) { return fail(error); }
      last = now;
      show(run);
      if (run.time < run.end) { frame = requestAnimationFrame(step); } else { done(run); }
    };
    frame = requestAnimationFrame(step);
  }

  function done(run) {
    at("stop").disabled = true;
    at("told").textContent = told(run);
    canvas.setAttribute("aria-label", `Spikes of ${senders.map(p => p.name).join(", ")} over ` +
      `${Math.round(run.end)} ms: ${run.spikes.length} in all.`);
  }

  function fail(error) {
    at("stop").disabled = true;
    at("error").textContent = `This recording cannot be run: ${error.message}.`;
  }

  // ---- recordings ------------------------------------------------------------------------------

  function unpacked(kept) {
    const times = new Float64Array(bytes(kept.times).buffer);
    return { ...kept, times, channels: new Uint32Array(bytes(kept.channels).buffer) };
  }

  // ms of a unit, by its words; what a heading may call the columns.
  const UNITS = {};
  for (const word of ["s", "sec", "secs", "second", "seconds"]) UNITS[word] = 1000;
  for (const word of ["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"]) UNITS[word] = 1;
  for (const word of ["us", "usec", "usecs", "micros", "microsecond", "microseconds"]) UNITS[word] = 0.001;
  const TIMES = ["t", "time", "times", "timestamp", "timestamps"];
  const CHANNELS = ["c", "ch", "channel", "channels", "x", "address", "addr", "neuron", "unit", "id"];

  const wordsOf = text => text.toLowerCase().replace(/[µμ]/g, "u").match(/[a-z]+/g) || [];

  // Where the time and the channel stand, and ms of the unit if the heading says it.
  function headed(line, cells, fail) {
    const names = cells.map(wordsOf), alone = name => name.length === 1 && name[0] !== "s" && name[0] in UNITS;
    const time = names.findIndex(name => TIMES.includes(name[0]) || alone(name)), unit = names[time] && names[time][names[time].length - 1];
    const fits = time >= 0 && names.length === 2 && CHANNELS.includes(names[1 - time][0]);
    if (!fits) fail("expected the names of two columns, a time and a channel");
    if (names[time].length > 1 && !(unit in UNITS) && unit !== "stamp") fail("expected times in s, ms or us");
    return { time, unit: unit in UNITS ? UNITS[unit] : undefined };
  }

  // ms of the unit that a remark says of the times, and nothing else; see eventsim.datasets.text_columns.
  function remarked(line) {
    const known = [...TIMES, "unit", "units", "all", "are", "as", "given", "in", "is", "of", "stamps", "the"];
    for (const part of line.split(/[#,;.]/)) {
      const words = part.toLowerCase().replace(/[µμ]/g, "u").match(/[a-z0-9]+/g) || [];
      const units = words.filter(word => word in UNITS), others = words.filter(word => !(word in UNITS));
      const speaks = others.some(word => TIMES.includes(word) || word.startsWith("unit"));
      if (units.length === 1 && speaks && others.every(word => known.includes(word))) return UNITS[units[0]];
    }
    return undefined;
  }

  // A line "time,channel" for each event. A first line that is no numbers is a heading, which may
  // name the columns in the other order, and the unit, as a remark may; `unit` (ms) is that of others.
  function parsed(text, unit) {
    const events = [], lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
    let head = null, stated;
    lines.forEach((line, number) => {
      const fail = expected => { throw new Error(`line ${number + 1}, "${line.slice(0, 40)}": ${expected}`); };
      if (!line.trim()) return;
      if (line.trim().startsWith("#")) {
        stated = head || events.length ? stated : remarked(line) || stated;
        return;
      }
      const mark = [",", ";", "\t"].find(one => line.includes(one)) || /\s+/;
      const cells = line.trim().split(mark).map(cell => cell.trim());
      const numbers = cells.map(cell => cell === "" ? NaN : Number(cell));
      if (!head && !events.length && numbers.every(Number.isNaN)) {
        head = headed(line, cells, fail);
        if (head.unit && stated && head.unit !== stated) fail("expected the unit of the remark above it");
        stated = head.unit || stated;
        return;
      }
      if (cells.length !== 2) fail(`expected two columns, time,channel, not ${cells.length}`);
      const at = head ? head.time : 0, time = numbers[at], channel = numbers[1 - at];
      if (!(time >= 0 && time < Infinity)) fail("expected time,channel, the time a number from 0 on");
      if (!(Number.isInteger(channel) && channel >= 0 && channel < senders[0].size)) {
        fail(`expected a channel from 0 to ${senders[0].size - 1}`);
      }
      events.push([time, channel]);
    });
    if (!events.length) throw new Error("there is no event in the file");
    const ms = stated || unit;
    events.sort((a, b) => a[0] - b[0]);
    const times = events.map(e => ms < 1 ? e[0] / Math.round(1 / ms) : e[0] * ms);  // rounds as Python
    // As every command: to the first whole ms after the last event.
    const duration = Math.floor(times[times.length - 1]) + 1;
    return { times, channels: events.map(e => e[1]), duration, unit: ms };
  }

  async function dropped(file) {
    choose(null);
    try {
      const buffer = await file.arrayBuffer(), head = new TextDecoder().decode(buffer.slice(0, 4));
      const audio = head === "RIFF" || /^(audio|video)/.test(file.type);
      if (microphone) deafen("");
      if (audio) return play(await heardFile(buffer));
      const found = parsed(new TextDecoder().decode(buffer), Number(at("unit").value));
      at("unit").value = String(found.unit);
      play(found);
    } catch (error) { fail(error); }
  }

  function choose(button) {
    document.querySelectorAll("#recordings button").forEach(
      each => each.setAttribute("aria-pressed", String(each === button)));
  }

  function listen() {
    document.querySelectorAll("#recordings button").forEach((button, k) =>
      button.addEventListener("click", () => {
        if (microphone) deafen("");
        choose(button);
        play(unpacked(data.recordings[k]));
      }));
    at("file").addEventListener("change", event => event.target.files[0] && dropped(event.target.files[0]));
    if (data.audio.coefficients) at("microphone").addEventListener("click", hear);
    document.addEventListener("dragover", event => event.preventDefault());
    document.addEventListener("drop", event => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) dropped(event.dataTransfer.files[0]);
    });
    at("stop").addEventListener("click", () => {
      cancelAnimationFrame(frame);
      at("stop").disabled = true;
      at("told").textContent = "Stopped.";
    });
    const again = () => shown && (clear(shown), draw(shown));
    window.addEventListener("resize", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) at("speed").value = "0";
  }

  // A recording at once: answer, scores, and the spikes of all populations.
  async function answer(recording) {
    await ready;
    const run = new Run(recording);
    run.to(run.end);
    return { ...run.found, spikes: run.spikes, since: run.since };
  }

  // A page in whose frame this one stands has a heading of its own, and learns the height of this.
  if (parent !== window) {
    document.documentElement.classList.add("framed");
    new ResizeObserver(() => parent.postMessage({ height: document.body.offsetHeight }, "*"))
      .observe(document.body);
  }

  function begin(all) {
    engine = all;
    listen();
    at("live").hidden = false;
    choose(document.querySelector("#recordings button"));
    play(unpacked(data.recordings[0]), 0);
  }

  const ready = start().then(begin,
    error => { at("error").textContent = `The network does not run in this browser: ${error.message}.`; });
  return { ready, answer, unpacked, parsed, heardFile, Words, data };
})();
