// Inspects dropped pictures by POST /inspect and draws what the answer says. Whatever comes from a
// file or an answer enters the page as text (textContent), never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const LINE = location.pathname.replace(/\/$/, ""); // "" for the line in the root, else /lines/<name>
const COLOURS = { pass: "#3ddc84", review: "#ffb020", reject: "#ff4d4f" };

let card = null; // of GET /model: classes, and which detector reads which region
let pictures = []; // one per view: a bitmap, or null where the browser cannot show the file
let answer = null;
let shown = 0;

function headers(more = {}) {
  const token = byId("token").value;
  return token ? { ...more, authorization: `Bearer ${token}` } : more;
}

async function asked(path, options = {}) {
  const response = await fetch(LINE + path, { ...options, headers: headers(options.headers) });
  const body = await response.json();
  if (response.status === 401) byId("token-field").hidden = false;
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

async function readModel() {
  try {
    card = await asked("/model");
    byId("model").textContent = `line ${card.line.name}, model ${card.version}`;
    const classes = [...Object.keys(card.line.classes), "anomaly"];
    byId("truth").replaceChildren(...classes.map((one) => element("option", one)));
  } catch (error) {
    byId("model").textContent = error.message;
  }
}

async function inspect(files) {
  if (!files.length) return;
  if (!card) await readModel();
  const form = new FormData();
  for (const file of files) form.append("views", file, file.name);
  setVerdict("idle", "inspecting …", "");
  byId("error").hidden = byId("cause").hidden = byId("details").hidden = true;

  try {
    answer = await asked("/inspect?heatmap=true", { method: "POST", body: form });
    pictures = await Promise.all([...files].map((file) => createImageBitmap(file).catch(() => null)));
    await Promise.all(answer.views.map(loadHeat));
    shown = answer.views.findIndex((view) => view.name === answer.worst_view);
    showAnswer();
  } catch (error) {
    setVerdict("idle", "not inspected", "");
    byId("error").textContent = error.message;
    byId("error").hidden = false;
  }
}

async function loadHeat(view) {
  view.heat = {};
  for (const [detector, png] of Object.entries(view.heatmaps ?? {})) {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    view.heat[detector] = image;
  }
}

function setVerdict(verdict, word, label) {
  byId("verdict").className = `verdict ${verdict}`;
  byId("verdict-word").textContent = word;
  byId("verdict-label").textContent = label;
}

function showAnswer() {
  setVerdict(answer.verdict, answer.verdict.toUpperCase(), answer.label);
  byId("cause").textContent = `Cause in the process: ${answer.cause}`;
  byId("cause").hidden = !answer.cause;
  byId("drop").hidden = true;
  byId("stage").hidden = byId("tools").hidden = byId("details").hidden = false;
  byId("told").textContent = "";

  const several = answer.views.length > 1;
  byId("views").replaceChildren(...(several ? answer.views.map(viewButton) : []));
  showView();
}

function viewButton(view, number) {
  const button = element("button", view.name, view.verdict);
  button.type = "button";
  button.addEventListener("click", () => {
    shown = number;
    showView();
  });
  return button;
}

function showView() {
  const view = answer.views[shown];
  [...byId("views").children].forEach((one, i) => one.setAttribute("aria-current", i === shown));
  byId("view-name").textContent = answer.views.length > 1 ? view.name : "";
  byId("scores").replaceChildren(...Object.keys(view.scores).map((name) => scoreBar(view, name)));
  byId("reasons").replaceChildren(...view.reasons.map((reason) => element("li", reason)));
  showBoxes(view.boxes);
  showTrace(view);
  draw(view);
}

function scoreBar(view, detector) {
  const score = view.scores[detector];
  // what decides by the fused score alone has no thresholds of its own
  const { accept_below: accept, reject_above: reject } = view.thresholds[detector] ?? {};
  const marks = [accept, reject].filter((one) => Math.abs(one) < 1e6);
  // the scale ends a little beyond what is on it
  const end = 1.15 * Math.max(score, ...marks, 1e-9);
  const percent = (value) => `${Math.min(100, Math.max(0, (100 * value) / end))}%`;

  const whole = element("div", "", "score");
  const head = element("div", "", "head");
  const limits = limitsInWords(accept, reject);
  head.append(element("span", `${detector} ${score.toFixed(3)}`), element("span", limits, "muted"));
  const bar = element("div", "", "bar");
  const fill = element("div", "", `fill ${view.verdicts[detector] ?? ""}`);
  fill.style.width = percent(score);
  bar.append(fill);
  for (const limit of marks.filter((one) => one > 0)) {
    const mark = element("div", "", "limit");
    mark.style.left = percent(limit);
    bar.append(mark);
  }
  whole.append(head, bar);
  return whole;
}

// A limit that no score reaches never decides, and is not named.
function limitsInWords(accept, reject) {
  if (accept === undefined) return "decides nothing alone";
  const said = [];
  if (Math.abs(accept) < 1e6) said.push(`pass below ${accept.toPrecision(3)}`);
  if (Math.abs(reject) < 1e6) said.push(`reject above ${reject.toPrecision(3)}`);
  return said.join(", ");
}

function showBoxes(boxes) {
  byId("boxes").hidden = !boxes.length;
  byId("no-boxes").hidden = boxes.length > 0;
  const rows = boxes.map((box) => {
    const row = document.createElement("tr");
    const size = `${box.width_px} × ${box.height_px}`;
    const cells = [box.region, box.found_by, `${box.x_px}, ${box.y_px}`, size, box.heat.toFixed(2)];
    row.append(...cells.map((cell) => element("td", cell)));
    return row;
  });
  byId("boxes").tBodies[0].replaceChildren(...rows);
}

function showTrace(view) {
  const facts = {
    request: answer.request_id,
    release: answer.model.release,
    "image SHA-256": view.sha256,
    frame: `${view.width_px} × ${view.height_px} px`,
  };
  const rows = Object.entries(facts).flatMap(([key, value]) => [element("dt", key), element("dd", value)]);
  byId("trace").replaceChildren(...rows);
}

function draw(view) {
  const canvas = byId("canvas");
  canvas.width = view.width_px;
  canvas.height = view.height_px;
  const context = canvas.getContext("2d");
  const thin = Math.max(1, view.width_px / 500);
  if (pictures[shown]) context.drawImage(pictures[shown], 0, 0, view.width_px, view.height_px);
  if (byId("show-heat").checked) drawHeat(context, view);

  if (byId("show-regions").checked) {
    context.lineWidth = thin;
    context.strokeStyle = "#8fb4ff";
    context.setLineDash([6 * thin, 4 * thin]);
    for (const place of Object.values(view.regions)) {
      context.strokeRect(place.x_px, place.y_px, place.width_px, place.height_px);
    }
    context.setLineDash([]);
  }
  if (byId("show-boxes").checked) {
    context.lineWidth = 2 * thin;
    for (const box of view.boxes) {
      // what decides by the fused score alone has no verdict of its own
      context.strokeStyle = COLOURS[view.verdicts[box.found_by] ?? view.verdict];
      context.strokeRect(box.x_px, box.y_px, box.width_px, box.height_px);
    }
  }
}

function drawHeat(context, view) {
  for (const [detector, image] of Object.entries(view.heat)) {
    const place = view.regions[card.detectors[detector].region];
    context.save();
    context.translate(place.x_px + place.width_px / 2, place.y_px + place.height_px / 2);
    if (place.turned) context.rotate(Math.PI);
    const { width_px: width, height_px: height } = place;
    context.drawImage(image, -width / 2, -height / 2, width, height);
    context.restore();
  }
}

async function tell(event) {
  event.preventDefault();
  const said = { label: byId("truth").value, reviewer: byId("reviewer").value };
  const body = JSON.stringify({ request_id: answer.request_id, ...said });
  const type = { "content-type": "application/json" };
  try {
    const { number } = await asked("/feedback", { method: "POST", headers: type, body });
    byId("told").textContent = `logged as number ${number}`;
  } catch (error) {
    byId("told").textContent = error.message;
  }
}

function again() {
  byId("stage").hidden = byId("tools").hidden = byId("details").hidden = true;
  byId("drop").hidden = false;
  byId("views").replaceChildren();
  byId("cause").hidden = true;
  byId("files").value = "";
  setVerdict("idle", "no part yet", "");
}

const drop = byId("drop");
byId("files").addEventListener("change", (event) => inspect(event.target.files));
drop.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") byId("files").click();
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") inspect(event.dataTransfer.files);
  });
}
for (const name of ["boxes", "heat", "regions"]) {
  byId(`show-${name}`).addEventListener("change", () => draw(answer.views[shown]));
}
byId("again").addEventListener("click", again);
byId("feedback").addEventListener("submit", tell);
byId("token").addEventListener("change", readModel);
readModel();
