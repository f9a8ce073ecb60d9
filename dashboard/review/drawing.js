// A frame on which boxes are drawn by mouse, pen or finger, in the pixels of the frame.
//
// data: { image: URL, width, height, chosen, boxes: [{ x, y, width, height, text, colour }],
//         next: { text, colour } of a new box }
// sends `drawn`: { number, x, y, width, height }; number -1 is a new box,
//       `picked`: { number }; -1 is none.

const SVG = "http://www.w3.org/2000/svg";
// Without touch-action a finger would scroll the page.
const STYLE = "display: block; width: 100%; cursor: crosshair; touch-action: none; user-select: none";
// Pixels of the screen: how near to a corner the pointer takes it, and what is a drag, not a click.
const GRIP = 9, DRAG = 4;

function add(parent, name, attributes, text = "") {
  const found = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.textContent = text;
  parent.append(found);
  return found;
}

const rectangle = ([left, top], [right, bottom]) => ({
  x: Math.min(left, right),
  y: Math.min(top, bottom),
  width: Math.abs(right - left),
  height: Math.abs(bottom - top),
});

const corners = ({ x, y, width, height }) =>
  [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];

const holds = (box, [x, y]) =>
  x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

export default function ({ data, parentElement, setTriggerValue }) {
  let svg = parentElement.querySelector("svg");
  if (!svg) {
    svg = add(parentElement, "svg", { role: "img", class: "drawing", style: STYLE });
    add(svg, "image", {});
    add(svg, "g", {});
  }
  const [image, marks] = svg.children;
  svg.setAttribute("viewBox", `0 0 ${data.width} ${data.height}`);
  svg.setAttribute("aria-label", `frame with ${data.boxes.length} boxes`);
  image.setAttribute("width", data.width);
  image.setAttribute("height", data.height);
  if (image.getAttribute("href") !== data.image) image.setAttribute("href", data.image);

  // Pixels of the frame per pixel of the screen.
  const scale = () => data.width / Math.max(1, svg.getBoundingClientRect().width);
  const place = (event) => {
    const seen = svg.getBoundingClientRect();
    const within = (share) => Math.min(1, Math.max(0, share));
    return [
      within((event.clientX - seen.left) / seen.width) * data.width,
      within((event.clientY - seen.top) / seen.height) * data.height,
    ];
  };

  function draw(boxes, chosen) {
    marks.replaceChildren();
    const unit = scale();
    boxes.forEach((box, number) => {
      const { x, y, width, height } = box;
      const isChosen = number === chosen;
      add(marks, "rect", {
        x, y, width, height, fill: "none", stroke: box.colour,
        "stroke-width": isChosen ? 3 : 1.5, "vector-effect": "non-scaling-stroke",
      });
      const size = 13 * unit;
      add(marks, "text", {
        x: x + 3 * unit, y: y > size ? y - 4 * unit : y + size, fill: box.colour,
        "font-size": size, "font-family": "sans-serif", style: "paint-order: stroke",
        stroke: "black", "stroke-width": 3 * unit,
      }, box.text);
      if (!isChosen) return;
      const side = 8 * unit;
      for (const [left, top] of corners(box)) {
        add(marks, "rect", {
          x: left - side / 2, y: top - side / 2, width: side, height: side, fill: box.colour,
        });
      }
    });
  }
  draw(data.boxes, data.chosen);

  // The marks keep their size on the screen when the column changes its width.
  svg.watcher?.disconnect();
  svg.watcher = new ResizeObserver(() => draw(data.boxes, data.chosen));
  svg.watcher.observe(svg);

  // What a drag that begins here does: it makes a rectangle of where the pointer is.
  function gesture(start) {
    const box = data.boxes[data.chosen];
    if (box) {
      const near = GRIP * scale();
      const grip = corners(box).findIndex(
        ([x, y]) => Math.abs(x - start[0]) <= near && Math.abs(y - start[1]) <= near);
      if (grip >= 0) {
        const fixed = corners(box)[(grip + 2) % 4];
        return { number: data.chosen, at: (end) => rectangle(fixed, end) };
      }
      if (holds(box, start)) {
        const shifted = (from, by, room) => Math.min(Math.max(0, from + by), room);
        const at = (end) => ({
          ...rectangle([0, 0], [box.width, box.height]),
          x: shifted(box.x, end[0] - start[0], data.width - box.width),
          y: shifted(box.y, end[1] - start[1], data.height - box.height),
        });
        return { number: data.chosen, at };
      }
    }
    return { number: -1, at: (end) => rectangle(start, end) };
  }

  function smallestAt(point) {
    const found = data.boxes
      .map((box, number) => ({ number, area: box.width * box.height, box }))
      .filter(({ box }) => holds(box, point))
      .sort((one, other) => one.area - other.area);
    return found[0]?.number ?? -1;
  }

  svg.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    const start = place(event);
    const { number, at } = gesture(start);
    const rest = data.boxes.filter((_, other) => other !== number);
    const like = data.boxes[number] ?? { text: data.next.text, colour: data.next.colour };

    const far = (end) =>
      Math.max(Math.abs(end[0] - start[0]), Math.abs(end[1] - start[1])) >= DRAG * scale();
    svg.onpointermove = (move) => {
      const end = place(move);
      if (far(end)) draw([...rest, { ...like, ...at(end) }], rest.length);
    };
    svg.onpointerup = (up) => {
      svg.onpointermove = svg.onpointerup = svg.onpointercancel = null;
      const end = place(up);
      if (far(end)) setTriggerValue("drawn", { number, ...at(end) });
      else setTriggerValue("picked", { number: smallestAt(start) });
    };
    svg.onpointercancel = () => {
      svg.onpointermove = svg.onpointerup = svg.onpointercancel = null;
      draw(data.boxes, data.chosen);
    };
  };

  return () => svg.watcher?.disconnect();
}
