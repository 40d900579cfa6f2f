"use strict";
(() => {
  const CHUNK = 120;
  const $ = (id) => document.getElementById(id);

  // Every node is made from text: nothing in a clip can become markup.
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  };

  const unpack = async () => {
    const bytes = Uint8Array.from(atob($("data").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { fields, clips, own, topics } = JSON.parse(await new Response(stream).text());
    const objects = clips.map((values) => Object.fromEntries(fields.map((name, i) => [name, values[i]])));
    objects.forEach((clip, i) => {
      clip.at = i;
      clip.rank = topics.indexOf(clip.topic);
      const join = (...parts) => parts.filter(Boolean).join("\n").toLowerCase();
      clip.text = join(clip.id, clip.prompt, clip.model, clip.provider, clip.batch, clip.image, clip.error, clip.mismatch, clip.take, ...clip.labels);
      clip.ids = join(clip.generation_id, clip.attempt, clip.s3_uri);
    });
    return { clips: objects, own, topics };
  };

  const dollars = (text) => (text ? Number(text.replace(/[$,]/g, "")) : -1);
  const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`);
  const when = (iso) => iso.replace("T", " ").replace("+00:00", " UTC");
  const paid = (clip) => clip.usd_charged || (clip.risk ? `${clip.risk} at risk` : clip.usd_quoted ? `${clip.usd_quoted} quoted` : "–");

  const SORTS = {
    "what needs you first": (a, b) => a.rank - b.rank || a.at - b.at,
    "as in the CSV": (a, b) => a.at - b.at,
    "newest first": (a, b) => (b.created_at || "").localeCompare(a.created_at || "") || a.at - b.at,
    "dearest first": (a, b) => dollars(b.usd_charged) - dollars(a.usd_charged) || a.at - b.at,
    "slowest first": (a, b) => (b.seconds ?? -1) - (a.seconds ?? -1) || a.at - b.at,
    "by name": (a, b) => a.id.localeCompare(b.id, "en", { numeric: true }),
  };

  const say = (text) => { $("said").textContent = text; };

  const copy = async (text, button) => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // no clipboard on plain http
      const area = make("textarea", { class: "sr", "aria-hidden": "true" });
      area.value = text;
      (button.closest("dialog") || document.body).append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const before = button.dataset.label || button.textContent;
    button.dataset.label = before;
    button.textContent = done ? "Copied" : "Can’t copy";
    say(done ? "Copied" : "Copying is not allowed here");
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  const copyButton = (text, label, name) =>
    make("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `${label}: ${name || text}` }, label);

  const player = (clip) => {
    const video = make("video", { controls: true, playsinline: true, preload: "metadata", src: clip.clip, poster: clip.poster, "aria-label": clip.id });
    video.addEventListener("play", () => document.querySelectorAll("video").forEach((other) => other !== video && other.pause()));
    video.addEventListener("error", () => {
      const lost = make("div", { class: "stage none", role: "alert" }, "This clip can’t be reached from here. Its S3 address is in the details.");
      (video.closest(".stage") || video).replaceWith(lost);
    });
    return video;
  };

  const play = (button, clip) => {
    const video = player(clip);
    button.replaceWith(make("div", { class: "stage" }, video));
    video.focus();
    video.play().catch(() => {});  // the error event says why
  };

  const trouble = (clip) => {
    const first = clip.commands[0];
    return make("div", { class: "stage none" },
      make("p", { class: "why" }, clip.error || clip.topic),
      first && make("p", { class: "command" }, make("span", { class: "hint" }, first[0]), make("code", {}, first[1]), copyButton(first[1], "Copy")));
  };

  const stage = (clip) => {
    if (!clip.s3_uri) return trouble(clip);
    const image = clip.poster && make("img", { src: clip.poster, alt: "", loading: "lazy", decoding: "async" });
    if (image) image.addEventListener("error", () => { image.parentNode?.classList.add("blank"); image.remove(); });
    const time = clip.duration_s && make("span", { class: "time" }, `${clip.duration_s} s`);
    if (!clip.clip) return make("div", { class: image ? "stage" : "stage blank" }, image, time);
    const button = make("button", { type: "button", class: image ? "stage" : "stage blank", "aria-label": `Play ${clip.id}` },
      image, make("span", { class: "play" }), time);
    button.addEventListener("click", () => play(button, clip));
    return button;
  };

  const tag = (clip) => make("span", { class: "tag", "data-topic": clip.topic }, clip.topic);
  const settings = (clip) => [clip.resolution, clip.aspect_ratio, clip.duration_s && `${clip.duration_s} s`, clip.take && `take ${clip.take}`];

  const card = (clip) => {
    const facts = [paid(clip), clip.model.split("/").pop(), ...settings(clip).slice(0, 2), clip.seconds !== null && `made in ${Math.round(clip.seconds)} s`];
    const first = clip.s3_uri && clip.commands[0];
    return make("li", { class: "card", "data-at": clip.at },
      stage(clip),
      make("div", { class: "body" },
        make("h3", {}, make("span", {}, clip.id), tag(clip)),
        clip.mismatch && make("p", { class: "why" }, clip.mismatch),
        make("p", { class: "prompt" }, clip.prompt),
        make("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
        make("div", { class: "foot" },
          make("button", { type: "button", "data-detail": clip.at, "aria-label": `Details of ${clip.id}` }, "Details"),
          first && copyButton(first[1], "Copy command"),
          clip.s3_uri && copyButton(clip.s3_uri, "Copy S3 link", clip.id))));
  };

  const pairs = (clip, own) => [
    ["state", clip.topic === "delivered" ? clip.state : `${clip.state} (${clip.topic})`],
    ["batch", clip.batch],
    ...own.map((name, i) => [name, clip.labels[i]]),
    ["model", clip.model], ["provider", clip.provider],
    ["settings", settings(clip).filter(Boolean).join(" · ")],
    ["input image", clip.image, "image"],
    ["charged", clip.usd_charged], ["quoted", clip.usd_quoted], ["at risk", clip.risk],
    ["credits", clip.credits_used && clip.credits_used.toLocaleString("en")],
    ["created", clip.created_at && when(clip.created_at)], ["stored", clip.stored_at && when(clip.stored_at)],
    ["made in", clip.seconds !== null && `${clip.seconds} s, ${plural(clip.polls, "poll")}`],
    ["size", clip.size_bytes && size(clip.size_bytes)],
    ["S3", clip.s3_uri, "copy"], ["generation", clip.generation_id, "copy"],
    ["attempt", clip.attempt && `${clip.attempt}${clip.attempts > 1 ? ` (${clip.attempts} in all)` : ""}`],
    ["not as ordered", clip.mismatch], ["error", clip.error],
  ].filter(([, value]) => value);

  const detail = (clip, own) => {
    const fact = ([name, value, kind]) => {
      const web = kind === "image" && /^https:\/\//i.test(value);
      const shown = web ? make("a", { href: value, rel: "noreferrer noopener", target: "_blank" }, value) : value;
      return [make("dt", {}, name), make("dd", { class: kind === "copy" ? "mono" : null }, shown, kind === "copy" && copyButton(value, "Copy", name))];
    };
    const command = ([hint, text]) => make("p", { class: "command" }, make("span", { class: "hint" }, hint), make("code", {}, text), copyButton(text, "Copy"));
    return [
      clip.clip ? make("div", { class: "stage" }, player(clip)) : null,
      make("div", { class: "text" },
        ...clip.commands.map(command),
        make("p", { class: "prompt" }, clip.prompt),
        make("p", {}, copyButton(clip.prompt, "Copy prompt", clip.id)),
        make("dl", {}, ...pairs(clip, own).flatMap(fact))),
    ].filter(Boolean);
  };

  const start = ({ clips, own, topics }) => {
    const state = { find: "", sort: Object.keys(SORTS)[0], topics: new Set(), picks: new Map() };
    let shown = [], drawn = 0, opened = null;

    const passes = (clip, words) =>
      (!state.topics.size || state.topics.has(clip.topic)) &&
      [...state.picks].every(([read, value]) => read(clip) === value) &&
      words.every((word) => clip.text.includes(word) || (word.length > 5 && clip.ids.includes(word)));  // short words are in any digest

    const grow = () => {
      const next = shown.slice(drawn, drawn + CHUNK);
      $("cards").append(...next.map(card));
      drawn += next.length;
      $("more").hidden = drawn >= shown.length;
    };

    const draw = () => {
      const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
      shown = clips.filter((clip) => passes(clip, words)).sort(SORTS[state.sort]);
      drawn = 0;
      $("cards").replaceChildren();
      grow();
      if (!shown.length) $("cards").append(make("li", { class: "empty" }, "No clip is like that."));
      $("shown").textContent = shown.length === clips.length ? plural(clips.length, "clip") : `${shown.length.toLocaleString("en")} of ${plural(clips.length, "clip")}`;
    };

    const press = () => document.querySelectorAll("#chips button").forEach((chip) =>
      chip.setAttribute("aria-pressed", chip.dataset.topic ? state.topics.has(chip.dataset.topic) : !state.topics.size));
    const toggle = (topic) => {
      if (!topic) state.topics.clear();
      else if (!state.topics.delete(topic)) state.topics.add(topic);
      press();
      draw();
    };

    const chips = () => {
      const count = new Map();
      clips.forEach((clip) => count.set(clip.topic, (count.get(clip.topic) || 0) + 1));
      const chip = (topic, label, n) => make("button", { type: "button", "data-topic": topic, onclick: () => toggle(topic) }, label, make("b", {}, n.toLocaleString("en")));
      $("chips").append(chip("", "all", clips.length), ...topics.filter((t) => count.has(t)).map((t) => chip(t, t, count.get(t))));
    };

    const select = (name, read) => {
      const values = [...new Set(clips.map(read))];
      if (values.length < 2 || values.length > 60) return null;
      values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const options = values.map((value, i) => make("option", { value: i }, value || "(none)"));
      const list = make("select", {}, make("option", { value: "" }, "all"), ...options);
      list.addEventListener("change", () => {
        if (list.value === "") state.picks.delete(read); else state.picks.set(read, values[list.value]);
        draw();
      });
      return make("label", {}, `${name} `, list);
    };

    const open = (clip) => {
      opened = clip;
      $("detail-title").textContent = clip.id;
      $("detail-body").replaceChildren(...detail(clip, own));
      if (!$("detail").open) $("detail").showModal();
      $("detail").scrollTop = 0;
      $("detail-title").focus();
    };
    const step = (by) => {
      const next = shown[shown.indexOf(opened) + by];
      if (next) open(next);
    };
    const close = () => $("detail").close();
    $("detail").addEventListener("close", () => {
      $("detail-body").replaceChildren();
      while (opened && shown.indexOf(opened) >= drawn) grow();
      document.querySelector(`[data-detail="${opened?.at}"]`)?.focus();
    });
    $("detail").addEventListener("click", (event) => { if (event.target === $("detail")) close(); });
    $("before").addEventListener("click", () => step(-1));
    $("after").addEventListener("click", () => step(1));
    $("close").addEventListener("click", close);

    const handle = (item) => item?.querySelector("button.stage, video, [data-detail]");
    const across = () => getComputedStyle($("cards")).gridTemplateColumns.split(" ").length;
    const walk = (event) => {
      const item = document.activeElement.closest?.(".card");
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(), ArrowUp: -across() }[event.key];
      if (!item || !by || document.activeElement.tagName === "VIDEO") return;
      const items = [...$("cards").children], at = items.indexOf(item) + by;
      if (at >= items.length && drawn < shown.length) { grow(); items.splice(0, items.length, ...$("cards").children); }
      const next = handle(items[at]);
      if (next) { event.preventDefault(); next.focus(); }
    };
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, select, textarea");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if ($("detail").open) {
        if (event.target.tagName !== "VIDEO" && event.key === "ArrowRight") step(1);
        if (event.target.tagName !== "VIDEO" && event.key === "ArrowLeft") step(-1);
        return;
      }
      if (event.key === "/") { event.preventDefault(); $("find").focus(); return; }
      const item = document.activeElement.closest?.(".card");
      if (event.key === "i" && item) open(clips[item.dataset.at]);
      else walk(event);
    });

    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("button");
      if (button?.dataset.detail) open(clips[button.dataset.detail]);
      if (button?.dataset.show) {
        state.topics = new Set([button.dataset.show]);
        press();
        draw();
        $("sheet").scrollIntoView();
        $("sheet").focus({ preventScroll: true });
      }
    });
    let soon = 0;
    $("find").addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(() => { state.find = $("find").value; draw(); }, 80); });
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    $("sort").append(...Object.keys(SORTS).map((name) => make("option", {}, name)));
    $("sort").addEventListener("change", () => { state.sort = $("sort").value; draw(); });
    $("selects").append(...[
      select("model", (clip) => clip.model), select("provider", (clip) => clip.provider), select("batch", (clip) => clip.batch),
      ...own.map((name, i) => select(name, (clip) => clip.labels[i])),
    ].filter(Boolean));
    $("more").firstElementChild.addEventListener("click", grow);
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && grow(), { rootMargin: "1200px" }).observe($("more"));
    document.querySelectorAll(".show").forEach((button) => { button.hidden = false; });
    chips();
    press();
    $("controls").hidden = !clips.length;
    draw();
    document.documentElement.dataset.ready = "yes";
    performance.mark("ready");
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button.dataset.copy, button);
  });
  unpack().then(start, () => { $("unread").hidden = false; });
})();
