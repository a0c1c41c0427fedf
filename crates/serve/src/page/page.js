"use strict";

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function headers() {
  const key = at("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function model() {
  const reply = await fetch("/info", { headers: headers() });
  if (reply.ok) {
    const info = await reply.json();
    at("model").textContent = `${info.model}, ${info.precision}`;
  }
}

function show(context, best, others) {
  const found = best.answer !== null;
  at("answer").className = "";
  at("answer").textContent = found ? best.answer : "The text has no answer";
  at("confidence").textContent = `Confidence ${percent(best.probability)}`;
  // Characters are code points, as the server counts them.
  const characters = Array.from(context);
  const piece = (from, to) => document.createTextNode(characters.slice(from, to).join(""));
  const pieces = [piece(0)];
  if (found) {
    const mark = document.createElement("mark");
    mark.append(piece(best.start, best.end));
    pieces.splice(0, 1, piece(0, best.start), mark, piece(best.end));
  }
  at("highlighted").hidden = false;
  at("highlighted").replaceChildren(...pieces);
  at("others").replaceChildren(...others.map((other) => {
    const item = document.createElement("li");
    item.textContent = `${other.answer ?? "no answer"} (${percent(other.probability)})`;
    return item;
  }));
  at("highlighted").querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

function fail(message) {
  at("answer").className = "error";
  at("answer").textContent = message;
  at("confidence").textContent = "";
  at("highlighted").hidden = true;
  at("others").replaceChildren();
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [context, question] = [at("context").value, at("question").value];
  at("ask").disabled = true;
  try {
    const reply = await fetch("/v1/answers", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: JSON.stringify({ contexts: [context], questions: [{ question }], parameters: { top_k: 4 } }),
    });
    const body = await reply.json();
    if (reply.ok) {
      const [best, ...others] = body.answers[0].n_best;
      show(context, best, others);
      model();
    } else {
      fail(body.error);
    }
  } catch {
    fail("The server does not answer.");
  }
  at("result").hidden = false;
  at("ask").disabled = false;
});

model();
