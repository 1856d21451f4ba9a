// Calls the API from its documentation. The key is read from its field for each call; it is kept
// nowhere, and no cookie is sent. Without this script, the forms stay hidden.
"use strict";

(() => {
  const key = document.getElementById("try-key");
  for (const part of document.querySelectorAll("[data-try-part]")) part.hidden = false;

  // What a form says: the address, the headers and the body of its call.
  const callOf = (form) => {
    const [method, template] = form.dataset.try.split(" ");
    const headers = { Accept: "application/json" }, query = new URLSearchParams();
    let path = template, body;
    for (const { name, value, dataset } of form.querySelectorAll("[data-place]")) {
      const given = value.trim();
      if (dataset.place === "path") path = path.replace(`{${name}}`, encodeURIComponent(given));
      else if (!given) continue;
      else if (dataset.place === "query") query.append(name, given);
      else if (dataset.place === "header") headers[name] = given;
      else body = value;
    }
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const token = key.value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    return [query.size ? `${path}?${query}` : path,
      { method, headers, body, credentials: "omit", cache: "no-store" }];
  };

  const shown = async (answer) => {
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!kind || /json|text/.test(kind)) {
      const text = await answer.text();
      try {
        return JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        return text;
      }
    }
    return `${kind}: ${(await answer.blob()).size} bytes`;
  };

  const show = (place, ...lines) => {
    const text = document.createElement("pre");
    text.className = "snippet";
    text.tabIndex = 0;
    text.textContent = lines.filter(Boolean).join("\n");
    place.replaceChildren(text);
  };

  for (const form of document.querySelectorAll("form[data-try]")) {
    const place = form.querySelector("[data-answer]");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      show(place, place.dataset.sending);
      try {
        const answer = await fetch(...callOf(form));
        const more = ["Location", "Retry-After"].filter((name) => answer.headers.get(name));
        show(place, `${answer.status} ${answer.statusText}`.trim(),
          ...more.map((name) => `${name}: ${answer.headers.get(name)}`), await shown(answer));
      } catch {
        show(place, place.dataset.failed);
      }
    });
  }
})();
