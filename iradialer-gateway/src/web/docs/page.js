// Draws the API's description. Everything is written as text, never as markup, and nothing is asked of anybody else.
"use strict";

let api = {};

/** An element with its attributes and what is in it. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/** What a reference stands for. */
function resolve(value) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((from, name) => (from || {})[name], api);
}

/** A text with `code` in it. */
function prose(text) {
  return (text || "").split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

/** The type of a schema, in a few words. */
function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return resolve(schema)?.type === "string" ? kind(resolve(schema)) : schema.$ref.split("/").pop();
  const either = schema.oneOf || schema.anyOf;
  if (either) return either.map(kind).join(" or ");
  if (schema.allOf) return schema.allOf.map(kind).filter(Boolean).join(" with ");
  const types = [schema.type || "anything"].flat();
  const named = types.map((type) => {
    if (type === "array") return "list of " + kind(schema.items);
    return type === "string" && schema.format ? schema.format : type;
  });
  let text = named.join(" or ");
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    text += ` ${schema.minimum ?? ""} – ${schema.maximum ?? ""}`;
  }
  if (schema.enum) text += ": " + schema.enum.join(", ");
  return schema.default === undefined ? text : `${text} = ${JSON.stringify(schema.default)}`;
}

function row(name, required, type, text) {
  const mark = required ? make("span", { title: "required" }, " *") : null;
  return make("tr", {}, make("td", {}, make("code", {}, name), mark), make("td", {}, type), make("td", {}, prose(text)));
}

/** The members of an object's schema. */
function members(schema) {
  const own = resolve(schema) || {};
  const parts = (own.allOf || [own]).map(resolve);
  return parts.flatMap((part) => {
    const required = part.required || [];
    return Object.entries(part.properties || {}).map(([name, of]) => {
      return row(name, required.includes(name), kind(of), of.description || resolve(of)?.description);
    });
  });
}

function table(rows) {
  return rows.length ? make("table", {}, make("tbody", {}, rows)) : null;
}

function example(content) {
  const own = resolve(content.schema) || {};
  const shown = (own.examples || [])[0];
  return shown === undefined ? null : make("pre", {}, JSON.stringify(shown, null, 2));
}

function answer(status, response) {
  const [type, content] = Object.entries(response.content || {})[0] || [];
  const refusals = Object.entries(content?.examples || {}).map(([name, of]) => {
    const value = resolve(of).value;
    return make("details", {}, make("summary", {}, make("code", {}, name), " ", make("span", { class: "faint" }, value.status)),
      make("pre", {}, JSON.stringify(value, null, 2)));
  });
  const title = make("h3", {}, `${status} `, Number(status) < 400 ? prose(response.description) : "", type === "application/json" ? "" : ` ${type || ""}`);
  if (refusals.length) return [title, refusals];
  return content ? [title, make("details", {}, make("summary", {}, kind(content.schema)), table(members(content.schema))), example(content)] : [title];
}

function operation(path, method, of) {
  const parameters = (of.parameters || []).map(resolve);
  const body = Object.values(of.requestBody?.content || {})[0]?.schema;
  return make("section", { id: of.operationId },
    make("h2", {}, make("span", { class: `method ${method}` }, method), " ", make("span", { class: "path" }, path)),
    make("p", {}, prose(of.summary), of.description ? ["\n", ...prose(of.description)] : null),
    parameters.length ? make("h3", {}, "Parameters") : null,
    table(parameters.map((each) => row(each.name, each.required, `${each.in}, ${kind(each.schema)}`, each.description))),
    body ? make("h3", {}, "Body: ", kind(body)) : null,
    body ? table(members(body)) : null,
    Object.entries(of.responses).map(([status, response]) => answer(status, resolve(response))).flat(3));
}

function draw() {
  const main = document.getElementById("main");
  const index = document.getElementById("index");
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  const drawn = [make("p", {}, prose(api.info.description), " ", make("a", { href: "/api/openapi.json" }, "openapi.json"))];
  for (const tag of api.tags) {
    const list = [];
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, of] of Object.entries(methods)) {
        if (!(of.tags || []).includes(tag.name)) continue;
        drawn.push(operation(path, method, of));
        list.push(make("a", { href: `#${of.operationId}`, title: of.summary },
          make("span", { class: `method ${method}` }, method), make("span", { class: "path" }, path)));
      }
    }
    if (list.length) index.append(make("div", {}, make("h2", { title: tag.description }, tag.name), list));
  }
  main.replaceChildren(...drawn);
  document.getElementById("filter").addEventListener("input", narrow);
  const at = location.hash && document.getElementById(location.hash.slice(1));
  if (at) at.scrollIntoView();
  document.body.dataset.drawn = "yes";
}

/** Leaves what has the text in it. */
function narrow(event) {
  const text = event.target.value.toLowerCase();
  for (const link of document.querySelectorAll("#index a")) {
    const fits = `${link.textContent} ${link.title}`.toLowerCase().includes(text);
    link.hidden = !fits;
    document.getElementById(link.hash.slice(1)).hidden = !fits;
  }
}

fetch("/api/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`it says ${answer.status}`))))
  .then((described) => { api = described; draw(); })
  .catch((error) => { document.getElementById("main").replaceChildren(`/api/openapi.json can't be shown: ${error.message}`); });
