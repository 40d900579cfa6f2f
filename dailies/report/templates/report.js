  const CHUNK = 120;

  const inflated = async (node) => {
    const bytes = Uint8Array.from(atob(node.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  };

  // The parts of a page of many clips, what needs a person most first: one is unpacked when it is scrolled to, all of them
  // when something is looked for. `clips` has each clip at its place, and holes where none has been unpacked.
  const inParts = (page, clips) => {
    const order = [];  // what is unpacked, as the page shows it
    let next = 0, busy = Promise.resolve();
    const left = () => next < page.many.parts;
    const arrived = (nodes) => nodes.length < 2 && document.readyState === "loading"
      && new Promise((done) => addEventListener("DOMContentLoaded", done, { once: true }));
    const one = async () => {
      if (!left()) return;
      await arrived(document.querySelectorAll("script.part"));
      const node = document.querySelector("script.part");
      const part = await inflated(node);
      part.clips.forEach(([at, ...values], i) => order.push(clips[at] = object(page, [...values, ...part.links[i]], at)));
      node.remove();
      next += 1;
      if (!left()) seated(clips);
    };
    const more = () => (busy = busy.then(one));
    const whole = async () => { while (left()) await more(); };
    return { many: page.many, order, left, more, whole };
  };

  // Where verdicts given here are kept, by the browser.
  const place = `dailies ${document.title} ${$("made").dateTime}`;
  const before = () => { try { return JSON.parse(localStorage.getItem(place) || "{}"); } catch { return {}; } };  // some keep nothing for a file

  const unpack = async () => {
    const page = await inflated($("data"));
    if (!page.many) return objects(page);
    const clips = new Array(page.many.all), parts = inParts(page, clips);
    if (location.hash.length > 1 || Object.keys(before()).length) await parts.whole();
    while (parts.order.length < CHUNK && parts.left()) await parts.more();
    return { ...page, clips, parts };
  };

  const player = (clip) => {
    const video = film(clip, { controls: true });
    video.addEventListener("play", () => document.querySelectorAll("video").forEach((other) => other !== video && other.pause()));
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
    const image = poster(clip);
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
        make("h3", {}, make("span", {}, clip.id), make("span", { class: "tags" }, badge(clip), tag(clip))),
        clip.mismatch && make("p", { class: "why" }, clip.mismatch),
        clip.marks && clip.marks !== "fine" && make("p", { class: "why" }, clip.marks),
        make("p", { class: "prompt" }, clip.prompt),
        make("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
        make("div", { class: "foot" },
          make("button", { type: "button", "data-detail": clip.at, "aria-label": `Details of ${clip.id}` }, "Details"),
          clip.clip && make("button", { type: "button", "data-save": clip.at, "aria-label": `Download ${clip.id}` }, "Download"),
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
    ["verdict", clip.verdict && [clip.verdict, clip.by && `by ${clip.by}`].filter(Boolean).join(" ")], ["note", clip.note],
    ["prompt of the retake", clip.retake_prompt],
    ["not as ordered", clip.mismatch], ["footage", clip.marks], ["error", clip.error],
  ].filter(([, value]) => value);

  const detail = (clip, own, buttons) => {
    const fact = ([name, value, kind]) => {
      const web = kind === "image" && /^https:\/\//i.test(value);
      const shown = web ? make("a", { href: value, rel: "noreferrer noopener", target: "_blank" }, value) : value;
      return [make("dt", {}, name), make("dd", { class: kind === "copy" ? "mono" : null }, shown, kind === "copy" && copyButton(value, "Copy", name))];
    };
    const command = ([hint, text]) => make("p", { class: "command" }, make("span", { class: "hint" }, hint), make("code", {}, text), copyButton(text, "Copy"));
    return [
      clip.clip ? make("div", { class: "stage" }, player(clip)) : null,
      make("div", { class: "text" },
        clip.s3_uri && buttons(clip),
        ...clip.commands.map(command),
        make("p", { class: "prompt" }, clip.prompt),
        make("p", {}, copyButton(clip.prompt, "Copy prompt", clip.id)),
        make("dl", {}, ...pairs(clip, own).flatMap(fact))),
    ].filter(Boolean);
  };

  // Verdicts given on a page without a server are kept by the browser, and exported as a file that dailies imports.
  const kept = (clips) => {
    const steps = new Map();  // of each clip, what stood before each verdict given here
    const mine = new Map();
    const said = before();
    clips.filter((clip) => said[clip.clip_key]).forEach((clip) => {
      const [verdict, note, retake_prompt, at] = said[clip.clip_key];
      steps.set(clip, [{ verdict: clip.verdict, note: clip.note, retake_prompt: "" }]);
      Object.assign(clip, { verdict, note, retake_prompt });
      mine.set(clip, at);
    });
    const store = () => {
      try {
        localStorage.setItem(place, JSON.stringify(Object.fromEntries([...mine].map(([c, at]) => [c.clip_key, [c.verdict, c.note, c.retake_prompt, at]]))));
      } catch { /* likewise */ }
      $("export").hidden = !mine.size;
    };
    const cell = (text) => {
      const safe = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
      return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
    };
    const csv = () => {
      const names = ["batch", "id", "take", "clip_key", "verdict", "note", "prompt", "by", "at", "seconds"];
      const line = ([c, at]) => [c.batch, c.id, c.take, c.clip_key, c.verdict, c.note, c.retake_prompt, "", at, String(c.duration_s || "")].map(cell).join(",");
      return `${names.join(",")}\n${[...mine].map((one) => `${line(one)}\n`).join("")}`;
    };
    return { steps, mine, store, csv };
  };

  const start = ({ clips, own, topics, parts }) => {
    let shown = [], drawn = 0, opened = null;
    const local = kept(clips);

    // The next part is unpacked before it is scrolled to; where that was too late, it is drawn when it is there.
    const ahead = (list, hungry) => parts.more().then(() => { if (hungry && list === shown) grow(); });
    const grow = () => {
      const all = parts && find.usual();
      if (all) for (let at = shown.length; at < parts.order.length; at += 1) shown.push(parts.order[at]);
      const next = shown.slice(drawn, drawn + CHUNK), coming = all && parts.left();
      $("cards").append(...next.map(card));
      drawn += next.length;
      if (coming && drawn + CHUNK > shown.length) ahead(shown, next.length < CHUNK);
      $("more").hidden = drawn >= shown.length && !coming;
    };
    const draw = (found) => {
      shown = found;
      drawn = 0;
      $("cards").replaceChildren();
      grow();
      if (!shown.length) $("cards").append(make("li", { class: "empty" }, "No clip is like that."));
    };
    const find = finder({ clips, own, topics, draw, parts });
    const whole = (then) => (parts?.left() ? parts.whole().then(then) : then());
    const decided = () => {
      $("decided").textContent = progress(clips).text;
      $("decided").hidden = parts?.left() > 0 || !clips.some((clip) => clip.s3_uri);
    };

    const changed = (clip) => {
      const item = $("cards").querySelector(`[data-at="${clip.at}"]`);
      item?.querySelector(".tags")?.replaceChildren(...[badge(clip), tag(clip)].filter(Boolean));
      if (opened === clip && $("detail").open) show(clip);
      whole(() => { decided(); find.count(); });
    };
    const verdicts = decider({
      before: (clip) => {
        if (!local.steps.has(clip)) local.steps.set(clip, []);
        local.steps.get(clip).push({ verdict: clip.verdict, note: clip.note, retake_prompt: clip.retake_prompt });
      },
      keep: (clip) => { local.mine.set(clip, new Date().toISOString().replace(/\.\d+Z/, "+00:00")); local.store(); },
      undo: (clip) => {
        const before = local.steps.get(clip)?.pop();
        if (!before) return say("Nothing was decided here that could be undone");
        Object.assign(clip, before);
        if (!local.steps.get(clip).length) local.mine.delete(clip);
        local.store();
        changed(clip);
      },
      changed,
    });
    const show = (clip) => $("detail-body").replaceChildren(...detail(clip, own, verdicts.buttons));
    const open = (clip) => {
      opened = clip;
      $("detail-title").textContent = named(clip);
      show(clip);
      if (!$("detail").open) $("detail").showModal();
      $("detail").scrollTop = 0;
      $("detail-title").focus();
      find.at(clip);
    };
    const step = (by) => {
      const at = shown.indexOf(opened) + by;
      if (at + 1 >= shown.length) grow();
      const next = shown[at];
      if (next) open(next);
    };
    const close = () => $("detail").close();
    $("detail").addEventListener("close", () => {
      find.at(null);
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
    const ARROWS = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: across, ArrowUp: () => -across() };
    const here = () => document.activeElement.closest?.(".card");
    const walk = (event) => {
      const item = here(), by = ARROWS[event.key]?.();
      if (!by) return;
      const items = [...$("cards").children], at = item ? items.indexOf(item) + by : 0;  // the first key selects the first clip
      if (at >= items.length && drawn < shown.length) { grow(); items.splice(0, items.length, ...$("cards").children); }
      const next = handle(items[at]);
      if (!next) return;
      event.preventDefault();
      next.focus();
    };
    document.addEventListener("keydown", (event) => {
      if (!meant(event)) return;
      const item = here(), clip = $("detail").open ? opened : item && clips[item.dataset.at];
      if (verdicts.press(event, clip)) return;
      const onVideo = event.target.tagName === "VIDEO";
      if ($("detail").open) {
        if (event.key === "ArrowRight" || event.key === "ArrowLeft") { event.preventDefault(); step(event.key === "ArrowRight" ? 1 : -1); }
      } else if (event.key === "/") { event.preventDefault(); $("find").focus(); }
      else if (event.key === "i" && item) open(clips[item.dataset.at]);
      else if (!onVideo || ARROWS[event.key]) walk(event);
    });

    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("button");
      if (button?.dataset.detail) open(clips[button.dataset.detail]);
      if (button?.dataset.save) save(clips[button.dataset.save].clip, fileName(clips[button.dataset.save]));
      if (button?.dataset.show) {
        find.only(button.dataset.show);
        $("sheet").scrollIntoView();
        $("sheet").focus({ preventScroll: true });
      }
    });
    $("export").addEventListener("click", () => {
      const address = URL.createObjectURL(new Blob([local.csv()], { type: "text/csv" }));
      save(address, "verdicts.csv");
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
    $("save-all").hidden = !clips.some((clip) => clip.clip);
    $("save-all").addEventListener("click", () => whole(() => { if (find.usual()) find.refresh(); saveAll(shown); }));
    $("more").firstElementChild.addEventListener("click", grow);
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && grow(), { rootMargin: "1200px" }).observe($("more"));
    document.querySelectorAll(".show").forEach((button) => { button.hidden = false; });
    const linked = find.recall();
    find.refresh(linked);
    addEventListener("hashchange", () => whole(() => { const clip = find.recall(); find.refresh(clip); if (clip) open(clip); }));
    local.store();
    decided();
    if (linked) open(linked);
    document.documentElement.dataset.ready = "yes";
    performance.mark("ready");
  };

  unpack().then(start, () => { $("unread").hidden = false; });
