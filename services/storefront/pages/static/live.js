// Enhances pages that work without it: counts and prices as they change, times where the reader is.
// A stream tells the whole state each time (see events.py); what has another shape than before, a
// new price or an end, is fetched as a page and put in the place of what it replaces.
"use strict";

(() => {
  const language = document.documentElement.lang;
  const locale = document.documentElement.dataset.locale;
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const SAY_EVERY_MS = 8000, REFRESH_TRIES = 10, REFRESH_EVERY_MS = 1500, AGAIN_MS = 5000;
  const LOOKS = 5, LOOK_AFTER_MS = 2000, SOON_SECONDS = 3600;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- figures -----------------------------------------------------------------------------------

  const plain = new Intl.NumberFormat(locale);
  const money = (amount, spec) => {
    const [currency, digits] = [spec.split(" ")[0], Number(spec.split(" ")[1])];
    const format = new Intl.NumberFormat(locale, {
      style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    // Exact: the decimal point is put into the digits, nothing is divided.
    const text = String(amount).padStart(digits + 1, "0");
    const at = text.length - digits;
    return format.format(digits ? `${text.slice(0, at)}.${text.slice(at)}` : text).replace("\uffe5", "¥");
  };
  const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (all_, name) => values[name] ?? all_);

  // --- times -------------------------------------------------------------------------------------

  // The server's clock, by what it said when the answer began.
  const [navigation] = performance.getEntriesByType("navigation");
  const saidAt = performance.timeOrigin + (navigation ? navigation.responseStart : 0);
  const ahead = Date.parse(document.documentElement.dataset.now) - saidAt;
  const serverNow = () => Date.now() + ahead;

  const localTime = new Intl.DateTimeFormat(locale, {
    year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit",
    timeZoneName: "short",
  });
  const left = (seconds) => {
    const counts = UNITS.map(([unit, size], place) =>
      [unit, Math.floor((place ? seconds % UNITS[place - 1][1] : seconds) / size)]);
    const first = counts.findIndex(([, count]) => count);
    const shown = first < 0 ? [["second", 0]] : counts.slice(first, first + 2).filter(([, count]) => count);
    const unitDisplay = language === "ja" ? "short" : "long";
    const written = shown.map(([unit, count]) =>
      new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay }).format(count)).join(" ");
    // Japanese writes a span in one piece.
    return language === "ja" ? written.replace(/\s/g, "") : written;
  };
  const plurals = new Intl.PluralRules(language);
  // `forms`: a text for each plural category of the language that it distinguishes.
  const formOf = (forms, count) => {
    const known = JSON.parse(forms);
    return known[plurals.select(count)] ?? known.other;
  };
  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const tick = () => {
    for (const element of all("[data-left]")) {
      const seconds = Math.floor((Date.parse(element.dateTime) - serverNow()) / 1000);
      write(element, seconds > 0 ? left(seconds) : element.dataset.over);
      element.classList.toggle("soon", seconds > 0 && seconds < SOON_SECONDS);
    }
  };
  const localize = (within) => {
    for (const element of all("[data-local]", within)) {
      write(element, localTime.format(new Date(element.dateTime)));
    }
  };

  // --- what a state changes ----------------------------------------------------------------------

  const flash = (element) => {
    element.classList.remove("changed");
    void element.offsetWidth; // begins the animation anew
    element.classList.add("changed");
  };
  const showFigures = (within, state) => {
    for (const element of all("[data-is]", within)) {
      const value = state[element.dataset.is];
      if (value === undefined || value === null) continue;
      const text = element.dataset.money ? money(value, element.dataset.money) : plain.format(value);
      if (element.textContent !== text) {
        element.textContent = text;
        flash(element);
      }
    }
    for (const element of all("[data-go]", within)) {
      const { forms, done, by, to, of } = element.dataset;
      const missing = to === undefined ? state.missing : Math.max(Number(to) - state[by], 0);
      if (missing === undefined || missing === null || Number.isNaN(missing)) continue;
      element.classList.toggle("done", missing === 0);
      const n = of ? money(missing, of) : plain.format(missing);
      write(element, missing ? fill(formOf(forms, missing), { n }) : done);
    }
    // The price at the step of the discount that a group has reached by now.
    for (const element of all("[data-prices]", within)) {
      const { prices, by, needs, full, of, each, lowered } = element.dataset;
      if (state[by] === undefined) continue;
      const steps = prices.split(" ").map((step) => step.split(":").map(Number));
      const held = steps.filter(([start]) => start <= state[by] && state.quantity >= Number(needs));
      const price = held.length ? held[held.length - 1][1] : Number(full);
      write(element.querySelector(".num"), money(price, of));
      write(element.lastElementChild, price < Number(full) ? lowered : each);
    }
    // What goes beyond a goal is not told as a part of it.
    for (const element of all("[data-beyond]", within)) {
      const { goal, until, beyond } = element.dataset;
      if (state.quantity === undefined) continue;
      const words = fill(state.quantity > Number(goal) ? beyond : until, { goal: plain.format(Number(goal)) });
      const count = element.firstElementChild;
      if (!count) write(element, words);
      else if (element.textContent !== words.replace("{count}", count.textContent)) {
        const [before, after] = words.split("{count}");
        element.replaceChildren(before, count, after);
      }
    }
    for (const svg of all("[data-bar]", within)) {
      const count = state[svg.dataset.bar];
      if (count === undefined) continue;
      const goal = state.minimum_reservations ?? Number(svg.dataset.goal);
      const marks = svg.dataset.marks.split(" ").filter(Boolean).map(Number);
      const length = Math.max(count, goal, ...marks, 1);
      const place = (number) => Math.floor((number * 1000) / length);
      svg.querySelector(".fill").setAttribute("width", place(count));
      svg.querySelector(".goal").setAttribute("d", `M${place(goal)} 0V10`);
      all(".tick", svg).forEach((tickMark, number) => tickMark.setAttribute("d", `M${place(marks[number])} 0V10`));
    }
  };

  // --- what is read out --------------------------------------------------------------------------

  let saidLast = 0, toSay = "", sayTimer = 0;
  const say = (text) => {
    toSay = text;
    if (sayTimer) return;
    sayTimer = setTimeout(() => {
      sayTimer = 0;
      saidLast = Date.now();
      for (const element of all("[data-says]")) element.textContent = toSay;
    }, Math.max(saidLast + SAY_EVERY_MS - Date.now(), 0));
  };
  const tell = (root, state, shape) => {
    const words = root.dataset;
    const values = { goal: plain.format(Number(words.goal ?? 0)) };
    for (const [name, value] of Object.entries(state)) {
      if (typeof value === "number") values[name] = plain.format(value);
    }
    if (state.status !== "open") return say(words.saysEnded);
    const priced = root.querySelector("[data-money]");
    if (shape && words.saysPrice && priced) {
      values.unit_price = money(state.unit_price, priced.dataset.money);
      return say(`${fill(words.saysPrice, values)} ${fill(words.saysCount, values)}`);
    }
    const isBeyond = words.saysBeyond && state.quantity > Number(words.goal);
    return say(fill(isBeyond ? words.saysBeyond : words.saysCount, values));
  };

  // --- what has another shape --------------------------------------------------------------------

  const root = document.querySelector("[data-events]");
  let current = root, refreshing = false, wanted = 0, replaceAll = false;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  const putInPlace = (page) => {
    const fresh = document.adoptNode(liveOf(page));
    // Who sells may be another by now, and stands in the footer too.
    for (const seller of all("[data-seller]")) {
      const other = page.querySelector("[data-seller]");
      if (other) seller.replaceWith(document.adoptNode(other));
    }
    if (replaceAll) {
      const held = current.contains(document.activeElement);
      current.replaceWith(fresh);
      current = fresh;
      if (held) document.getElementById("content").focus();
    } else {
      for (const part of all("[data-part]", current)) {
        const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
        if (!other) continue;
        const held = part.contains(document.activeElement);
        part.replaceWith(other);
        if (held) document.getElementById("content").focus();
      }
      for (const name of ["version", "status", "shape"]) current.dataset[name] = fresh.dataset[name];
      current.toggleAttribute("data-awaits", fresh.dataset.awaits !== undefined);
    }
    replaceAll = false;
    localize(current);
    tick();
    offerCopies(current);
    offerShares(current);
    lookForMore();
  };
  const load = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return answer.ok && liveOf(page) ? page : null;
  };
  const liveOf = (page) => page.querySelector("[data-events]");
  // The read model may be a moment behind the stream, so an older page is asked for once more.
  const refresh = async (version) => {
    wanted = Math.max(wanted, version);
    if (refreshing) return;
    refreshing = true;
    try {
      for (let tries = 0; tries < REFRESH_TRIES; tries += 1) {
        const page = await load();
        if (page && Number(liveOf(page).dataset.version) >= wanted) {
          putInPlace(page);
          break;
        }
        await pause(REFRESH_EVERY_MS);
      }
    } catch {
      // The next event asks again.
    } finally {
      refreshing = false;
    }
  };

  // What follows the last event a moment later, favors or a list of buyers, is looked for a while.
  let looking = false;
  const lookForMore = async () => {
    if (looking) return;
    looking = true;
    for (let tries = 0; tries < LOOKS && current.dataset.awaits !== undefined; tries += 1) {
      // Not all open pages at once, and ever more seldom.
      await pause(LOOK_AFTER_MS * 2 ** tries * (1 + Math.random() / 2));
      const page = document.hidden ? null : await load().catch(() => null);
      const fresh = page && liveOf(page);
      if (fresh && fresh.dataset.awaits === undefined && !refreshing) {
        replaceAll = fresh.dataset.status !== "open";
        putInPlace(page);
      }
    }
    looking = false;
  };

  const reached = (element, state) => {
    const starts = (element.dataset.starts ?? "").split(" ").filter(Boolean).map(Number);
    const total = state[element.dataset.by] ?? 0;
    const isNumber = Number(state.quantity ?? 0) >= Number(element.dataset.goal ?? Infinity);
    return starts.filter((start) => start <= total).length + (isNumber ? 1 : 0);
  };
  const onState = (state) => {
    const key = state.auction_id !== undefined ? `auctions/${state.auction_id}` : `groups/${state.group_id}`;
    for (const item of all("[data-live]")) {
      if (item.dataset.live !== key || state.version < Number(item.dataset.version)) continue;
      const isNews = state.version > Number(item.dataset.version);
      item.dataset.version = state.version;
      showFigures(item, state);
      if (item !== current) {
        if (state.status !== "open") for (const over of all("[data-left]", item)) write(over, over.dataset.over);
        continue;
      }
      const shape = state.unit_price === undefined ? "" : `${state.unit_price} ${state.minimum_reservations}`;
      const isEnd = state.status !== item.dataset.status;
      const isShape = shape !== item.dataset.shape;
      const steps = String(reached(item, state));
      const isStep = item.dataset.starts !== undefined && steps !== item.dataset.steps;
      if (isNews || isEnd) tell(item, state, isShape);
      if (isEnd || isShape || isStep || (isNews && item.dataset.parts === "each")) {
        replaceAll = replaceAll || isEnd;
        Object.assign(item.dataset, { status: state.status, shape, steps });
        refresh(state.version);
      }
    }
  };

  // --- the stream --------------------------------------------------------------------------------

  let stream = null;
  const connection = (name) => {
    for (const element of all("[data-state]")) {
      write(element, element.dataset[name]);
      element.classList.toggle("on", name === "on");
      element.classList.toggle("off", name === "off");
    }
  };
  const address = () => {
    if (current.dataset.live) return `${current.dataset.events}?after=${current.dataset.version}`;
    const query = new URLSearchParams();
    for (const item of all("[data-live]", current).slice(0, 100)) {
      const [kind, ...id] = item.dataset.live.split("/");
      query.append(kind === "auctions" ? "auction" : "group", id.join("/"));
    }
    return query.size ? `${current.dataset.events}?${query}` : null;
  };
  const open = () => {
    const where = address();
    if (stream || !where) return;
    stream = new EventSource(where);
    stream.onopen = () => connection("on");
    stream.onmessage = (event) => onState(JSON.parse(event.data));
    stream.onerror = () => {
      connection("off");
      if (stream && stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(open, AGAIN_MS);
      }
    };
  };
  const close = () => {
    if (stream) stream.close();
    stream = null;
  };
  // A browser has few connections to a host without HTTP/2: pages nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => {
    if (!root) return;
    if (document.hidden) close();
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted && root) open(); });

  // --- forms -------------------------------------------------------------------------------------

  // A button that is still hidden has no listener yet.
  const offerCopies = (within) => {
    if (!navigator.clipboard) return;
    for (const button of all("[data-copy][hidden]", within)) {
      button.hidden = false;
      const words = button.textContent;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = button.dataset.copied;
        setTimeout(() => { button.textContent = words; }, 2000);
      });
    }
  };
  // Where the system has a share sheet; elsewhere the link is there to be copied.
  const offerShares = (within) => {
    if (!navigator.share) return;
    for (const button of all("[data-share][hidden]", within)) {
      const { share: url, title, text } = button.dataset;
      button.hidden = false;
      // Closing the sheet is not an error.
      button.addEventListener("click", () => navigator.share({ title, text, url }).catch(() => {}));
    }
  };
  // What so many units cost and save, as they are typed. Exact: whole numbers, halves rounded up.
  const units = document.querySelector("[data-counts]");
  const count = () => {
    if (!/^[1-9]\d{0,8}$/.test(units.value)) return;
    const n = Number(units.value);
    for (const element of all("[data-total]")) {
      const { total, percent, of } = element.dataset;
      const whole = BigInt(total) * BigInt(n);
      const part = percent === undefined
        ? whole
        : (whole * BigInt(Math.round(Number(percent) * 100)) * 2n + 10000n) / 20000n;
      write(element, of ? money(part, of) : plain.format(part));
    }
    for (const element of all("[data-units]")) {
      write(element, fill(formOf(element.dataset.forms, n), { n: plain.format(n) }));
    }
  };
  if (units) {
    units.addEventListener("input", count);
    count();
  }
  // When a group would close that is started now, as the days are typed.
  const days = document.getElementById("f-days");
  const shortDay = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
  const countDays = () => {
    if (!/^[1-9]\d{0,3}$/.test(days.value)) return;
    const n = Number(days.value);
    const date = shortDay.format(new Date(serverNow() + n * 86400000));
    for (const element of all("[data-days]")) {
      write(element, fill(formOf(element.dataset.forms, n), { n: plain.format(n), date }));
    }
  };
  if (days) {
    days.addEventListener("input", countDays);
    countDays();
  }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    for (const element of all("[data-zone-value]")) element.value = zone;
    for (const element of all("[data-zone]")) element.textContent = zone;
  }
  const problems = document.getElementById("problems");
  if (problems) problems.focus();

  localize(document);
  tick();
  setInterval(tick, 1000);
  offerCopies(document);
  offerShares(document);
  if (root) {
    open();
    lookForMore();
  }
})();
