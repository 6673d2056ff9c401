// Choose an axis, and see the numbers of a point where the mouse or the focus is.
// Without this script all pictures stand below each other, and points are links with their names.
(() => {
  const about = JSON.parse(document.getElementById("points").textContent);
  const views = [...document.querySelectorAll(".view")];
  const choose = document.createElement("select");
  for (const view of views) choose.add(new Option(view.querySelector("h3").textContent, view.id));
  const show = () => views.forEach((view) => { view.hidden = view.id !== choose.value; });
  choose.addEventListener("change", show);
  const label = document.createElement("label");
  label.append("Axis of cost: ", choose);
  const place = document.createElement("p");
  place.className = "views";
  place.append(label);
  views[0].before(place);
  show();

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const tell = (point, x, y) => {
    tip.textContent = about[point.dataset.point];
    tip.hidden = false;
    tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(y + 14, innerHeight - tip.offsetHeight - 8)}px`;
  };
  for (const point of document.querySelectorAll("[data-point]")) {
    point.querySelector("title").remove();
    point.setAttribute("aria-label", about[point.dataset.point]);
    point.addEventListener("mousemove", (event) => tell(point, event.clientX, event.clientY));
    point.addEventListener("focus", () => {
      const box = point.getBoundingClientRect();
      tell(point, box.right, box.bottom);
    });
    for (const end of ["mouseleave", "blur"]) {
      point.addEventListener(end, () => { tip.hidden = true; });
    }
  }
})();
