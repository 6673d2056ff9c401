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
      engine.reset();
    }

    to(time) {
      const { times, channels, duration } = this.recording, grid = duration / LOOKS;
      const until = Math.min(time, duration);
      for (;;) {
        const look = grid * (this.looks.length + 1);
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
      this.since = this.recording.duration / LOOKS * (same.lastIndexOf(false) + 2);
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

  // A line "time,channel" for each event; a first line that is no numbers is a heading.
  function parsed(text, unit) {
    const events = [], lines = text.split(/\r?\n/);
    lines.forEach((line, number) => {
      if (!line.trim() || line.startsWith("#")) return;
      const [time, channel] = line.split(/[,;\s]+/).map(word => word === "" ? NaN : Number(word));
      if (!events.length && Number.isNaN(time)) return;
      const where = `line ${number + 1}, "${line.slice(0, 40)}"`;
      if (!(time >= 0)) throw new Error(`${where}: expected time,channel, the time a number from 0 on`);
      if (!(Number.isInteger(channel) && channel >= 0 && channel < senders[0].size)) {
        throw new Error(`${where}: expected a channel from 0 to ${senders[0].size - 1}`);
      }
      events.push([time * unit, channel]);
    });
    if (!events.length) throw new Error("there is no event in the file");
    events.sort((a, b) => a[0] - b[0]);
    const last = events[events.length - 1][0];
    return { times: events.map(e => e[0]), channels: events.map(e => e[1]), duration: Math.max(last, 1) };
  }

  async function opened(file) {
    choose(null);
    try {
      play(parsed(await file.text(), Number(at("unit").value)));
    } catch (error) { fail(error); }
  }

  function choose(button) {
    document.querySelectorAll("#recordings button").forEach(
      each => each.setAttribute("aria-pressed", String(each === button)));
  }

  function listen() {
    document.querySelectorAll("#recordings button").forEach((button, k) =>
      button.addEventListener("click", () => { choose(button); play(unpacked(data.recordings[k])); }));
    at("file").addEventListener("change", event => event.target.files[0] && opened(event.target.files[0]));
    document.addEventListener("dragover", event => event.preventDefault());
    document.addEventListener("drop", event => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) opened(event.dataTransfer.files[0]);
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
  return { ready, answer, unpacked, parsed, data };
})();
