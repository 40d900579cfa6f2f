  const GAP = 14, FOOT = 58, NARROWEST = 230, NEWS_EVERY_MS = 2000;
  const KEYS = [
    ["k", "keep"], ["r", "retake"], ["x", "reject"], ["n", "note, and the prompt of a retake"], ["u", "undo"], ["← → ↑ ↓", "between clips"],
    ["space", "play or pause"], ["Enter", "open the clip; its takes play side by side, in step"], ["Esc", "back to the grid"], [", and .", "one frame back, one on"],
    ["[ and ]", "slower, faster"], ["l", "loop"], ["m", "sound"], ["f", "full screen"], ["c", "comment on this moment"], ["/", "search"], ["Home End", "first, last clip"],
  ];

  // What this page asks its own server, and how it says that it could not.
  const ask = async (path, given) => {
    const body = given && JSON.stringify(given);  // what was pressed arrives though the page is left: browsers allow that for small bodies
    const answer = await fetch(path, given && { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: body.length < 16_000 });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const trouble = (text) => { $("trouble").textContent = text; $("trouble").hidden = !text; };
  const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(2).padStart(5, "0")}`;
  const facts = (clip) => [paid(clip), clip.model.split("/").pop(), clip.resolution, clip.duration_s && `${clip.duration_s} s`].filter(Boolean).join(" · ");

  const flag = (clip) => (marksOf(clip).length ? make("span", { class: "verdict flag", title: clip.marks }, kindsOf(clip)[0].replace("_", " "), kindsOf(clip).length > 1 && ` +${kindsOf(clip).length - 1}`) : null);

  // The grid: ten thousand clips, and only the cards that are in sight.
  const gridOf = (select, open) => {
    const list = $("cards"), nodes = new Map();
    const playing = make("video", { playsinline: true, loop: true, preload: "auto" });
    playing.muted = true;
    let shown = [], columns = 1, width = 0, height = 0, current = null;

    const card = (clip) => make("li", { class: "card", tabindex: -1, "data-at": clip.at, "data-verdict": clip.verdict || null, "aria-label": named(clip),
      onclick: () => (current === clip ? toggle() : select(clip)), ondblclick: () => open(clip) },
      make("div", { class: "stage" }, poster(clip)),
      make("button", { type: "button", class: "open", "aria-label": `Open ${named(clip)}`, tabindex: -1, onclick: (event) => { event.stopPropagation(); open(clip); } }, "⤢"),
      make("div", { class: "body" }, make("h3", {}, make("span", {}, named(clip)), make("span", { class: "tags" }, flag(clip), badge(clip))), make("p", { class: "facts" }, facts(clip))));
    const place = (node, at) => {
      node.style.width = `${width}px`;
      node.style.height = `${height}px`;
      node.style.transform = `translate(${(at % columns) * (width + GAP)}px, ${Math.floor(at / columns) * (height + GAP)}px)`;
    };
    const fill = () => {
      const top = list.getBoundingClientRect().top, line = height + GAP;
      const first = Math.max(0, Math.floor(-top / line) - 1) * columns, last = Math.min(shown.length, (Math.ceil((innerHeight - top) / line) + 1) * columns);
      const wanted = new Set(shown.slice(first, last));
      if (current && shown.includes(current)) wanted.add(current);
      nodes.forEach((node, clip) => { if (!wanted.has(clip)) { node.remove(); nodes.delete(clip); } });
      const seat = new Map(shown.slice(first, last).map((clip, i) => [clip, first + i]));
      wanted.forEach((clip) => {
        if (!nodes.has(clip)) { nodes.set(clip, card(clip)); list.append(nodes.get(clip)); }
        place(nodes.get(clip), seat.get(clip) ?? shown.indexOf(clip));
      });
      mark();
    };
    const measure = () => {
      const all = list.clientWidth;
      columns = Math.max(1, Math.floor((all + GAP) / (NARROWEST + GAP)));
      width = (all - GAP * (columns - 1)) / columns;
      height = Math.round((width * 9) / 16) + FOOT;
      list.style.height = `${Math.ceil(shown.length / columns) * (height + GAP)}px`;
      fill();
    };
    const mark = () => nodes.forEach((node, clip) => {
      node.setAttribute("aria-current", String(clip === current));
      node.querySelector("h3 .tags").replaceChildren(...[flag(clip), badge(clip)].filter(Boolean));
      if (clip.verdict) node.dataset.verdict = clip.verdict; else delete node.dataset.verdict;
    });
    const show = (scroll) => {  // the selected clip is in sight, and plays in its card
      const at = shown.indexOf(current);
      if (at < 0) return playing.remove();
      const top = list.getBoundingClientRect().top + Math.floor(at / columns) * (height + GAP), head = $("controls").getBoundingClientRect().bottom + 8;
      if (scroll && top < head) scrollBy(0, top - head);
      else if (scroll && top + height > innerHeight) scrollBy(0, top + height + 8 - innerHeight);
      fill();
      const node = nodes.get(current);
      if (playing.parentNode?.closest(".card") !== node) {
        playing.remove();
        playing.src = current.clip;
        playing.ariaLabel = named(current);
        playing.poster = current.poster || "";
        node.querySelector(".stage").replaceChildren(playing);
      }
      node.focus({ preventScroll: true });
    };
    const leave = () => {  // the card that played shows its poster again
      const stage = playing.parentNode;
      const clip = [...nodes].find(([, node]) => node.contains(playing))?.[0];
      playing.pause();
      playing.remove();
      if (stage && clip) stage.replaceChildren(...[poster(clip)].filter(Boolean));
    };
    const toggle = () => { if (playing.paused) playing.play().catch(() => {}); else playing.pause(); };
    playing.addEventListener("error", () => {
      const stage = playing.parentNode;
      if (!stage || !current) return;
      playing.remove();
      stage.replaceChildren(make("p", { class: "why", role: "alert" }, "This clip is gone from the store, or can’t be played here."));
    });

    let due = 0;
    const later = (work) => { cancelAnimationFrame(due); due = requestAnimationFrame(work); };
    addEventListener("scroll", () => later(fill), { passive: true });
    addEventListener("resize", () => later(measure));
    return {
      video: playing,
      get columns() { return columns; },
      draw: (found) => { shown = found; measure(); },
      select: (clip, { play = true, scroll = true } = {}) => {
        if (clip !== current) leave();
        current = clip;
        if (!clip) return;
        show(scroll);
        if (play) playing.play().catch(() => {});
      },
      toggle, mark, pause: () => playing.pause(), resume: () => { if (current) { show(true); playing.play().catch(() => {}); } },
    };
  };

  // The player: all takes of a row in step, led by the selected one; its input image beside them.
  const playerOf = ({ takes, select, step, verdicts, said }) => {
    const dialog = $("player");
    let clip = null, films = new Map(), frame_s = 1 / 24;
    const lead = () => films.get(clip);
    const rest = () => [...films].filter(([one]) => one !== clip).map(([, video]) => video);

    const follow = (video) => {
      const mine = (work) => () => { if (video === lead()) work(); };
      video.addEventListener("play", mine(() => { rest().forEach((one) => one.play().catch(() => {})); $("toggle").textContent = "❚❚"; }));
      video.addEventListener("pause", mine(() => { rest().forEach((one) => one.pause()); align(0); $("toggle").textContent = "▶"; }));
      video.addEventListener("seeked", mine(() => align(0.02)));
      video.addEventListener("timeupdate", mine(() => { align(0.12); tell(); }));
      video.addEventListener("loadedmetadata", mine(tell));
      let last = null;
      const learn = (_, { mediaTime }) => {  // how long a frame of this clip is
        const step_s = last === null ? 0 : mediaTime - last;
        if (step_s > 0.008 && step_s < 0.1) frame_s = Math.min(frame_s, step_s);
        last = mediaTime;
        if (video.isConnected) video.requestVideoFrameCallback?.(learn);
      };
      video.requestVideoFrameCallback?.(learn);
      return video;
    };
    const align = (most) => rest().forEach((one) => {
      const to = Math.min(lead().currentTime, one.duration || Infinity);
      if (Math.abs(one.currentTime - to) > most) one.currentTime = to;
    });
    const tell = () => {
      const video = lead();
      if (!video) return;
      $("scrub").max = video.duration || 1;
      if (document.activeElement !== $("scrub")) $("scrub").value = video.currentTime;
      $("clock").textContent = `${clock(video.currentTime)} / ${clock(video.duration || 0)}`;
    };
    const each = (work) => films.forEach(work);
    const settle = () => each((video, one) => {
      video.loop = $("loop").getAttribute("aria-pressed") === "true";
      video.muted = one !== clip || $("mute").getAttribute("aria-pressed") === "true";
      video.playbackRate = Number($("speed").value);
    });

    const figure = (one) => {
      const video = follow(film(one));
      films.set(one, video);
      return make("figure", { class: "take", "data-at": one.at, onclick: () => one !== clip && select(one) }, make("div", { class: "stage" }, video), make("figcaption", {}));
    };
    const still = (one) => {
      const image = make("img", { src: `image/${one.clip_key}`, alt: `Input image of ${one.id}` });
      const frame = make("figure", { class: "still" }, make("div", { class: "stage" }, image), make("figcaption", {}, "input image"));
      image.addEventListener("error", () => { frame.remove(); arrange(); });
      return frame;
    };
    const arrange = () => {  // as many columns as make the films largest
      const stage = $("films"), [wide, high] = (clip?.aspect_ratio || "16:9").split(":").map(Number), ratio = wide / high || 16 / 9;
      const tiles = [...stage.children].filter((node) => getComputedStyle(node).display !== "none").length || 1;
      const size = (columns) => Math.min(stage.clientWidth / columns, (stage.clientHeight / Math.ceil(tiles / columns) - 28) * ratio);
      const columns = Array.from({ length: tiles }, (_, i) => i + 1).sort((a, b) => size(b) - size(a) || a - b)[0];
      stage.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    };
    new ResizeObserver(arrange).observe($("films"));
    const captions = () => document.querySelectorAll("#films .take").forEach((node) => {
      const one = [...films.keys()].find((other) => String(other.at) === node.dataset.at);
      node.setAttribute("aria-current", String(one === clip && films.size > 1));
      node.querySelector("figcaption").replaceChildren(make("span", {}, takeName(one) || (films.size > 1 ? "take 1" : one.id)), ...[badge(one)].filter(Boolean));
    });

    const about = async () => {
      const one = clip;
      const fact = ([name, value]) => [make("dt", {}, name), make("dd", {}, value)];
      const pairs = [["charged", one.usd_charged || "–"], ["quoted", one.usd_quoted || "–"], ["model", one.model], ["provider", one.provider],
        ["settings", [one.resolution, one.aspect_ratio, one.duration_s && `${one.duration_s} s`].filter(Boolean).join(" · ")],
        ["made in", one.seconds !== null && `${Math.round(one.seconds)} s`], ["not as ordered", one.mismatch], ["S3", one.s3_uri]];
      const look = (mark) => make("li", {}, make("button", { type: "button", "aria-label": `Look at ${mark}`, onclick: () => { lead().pause(); lead().currentTime = Number(/ (\d+\.\d+)-/.exec(mark)?.[1] || 0); } }, mark));
      const marks = () => (marksOf(one).length ? [make("div", {}, make("h3", {}, "Worth a look"), make("ol", { id: "marks" }, ...marksOf(one).map(look)))] : []);
      const shown = (list) => $("about").replaceChildren(verdicts.buttons(one), ...marks(), ...list,
        make("div", {}, make("h3", {}, "Prompt"), make("p", { class: "prompt" }, one.prompt), make("p", {}, copyButton(one.prompt, "Copy prompt", one.id))),
        make("dl", {}, ...pairs.filter(([, value]) => value).flatMap(fact)),
        make("p", {}, make("button", { type: "button", onclick: () => save(one.clip, fileName(one)) }, "Download"), " ", copyButton(one.s3_uri, "Copy S3 link", one.id)));
      const now = () => [one.note && make("div", {}, make("h3", {}, "Note"), make("p", { class: "prompt" }, one.note)),
        one.retake_prompt && make("div", {}, make("h3", {}, "Prompt of the retake"), make("p", { class: "prompt" }, one.retake_prompt))].filter(Boolean);
      shown(now());
      const { verdicts: history, comments } = await ask(`about/${one.clip_key}`);
      if (one !== clip) return;
      const remark = (c) => make("li", {}, make("button", { type: "button", onclick: () => { lead().pause(); lead().currentTime = c.second; } }, clock(c.second)), c.text, make("span", { class: "quiet" }, ` · ${c.by}`));
      const entry = (v) => make("li", { class: "quiet" }, `${when(v.at)} · ${v.by}: ${v.undo ? "undo → " : ""}${v.verdict || (v.note ? "note" : "taken back")}`);
      shown([...now(),
        ...(comments.length ? [make("div", {}, make("h3", {}, "Comments"), make("ol", { id: "comments" }, ...comments.map(remark)))] : []),
        ...(history.length ? [make("details", {}, make("summary", {}, plural(history.length, "verdict").replace(/^1 verdict$/, "1 entry").replace("verdicts", "entries")), make("ol", {}, ...history.map(entry)))] : [])]);
    };

    const open = (next, where) => {
      const same = clip && next.row === clip.row && films.has(next) && dialog.open;
      const at = same ? lead().currentTime : 0, paused = same && lead().paused;
      clip = next;
      if (!same) {
        films = new Map();
        $("films").replaceChildren(...takes(next).map(figure), still(next));
        frame_s = 1 / 24;
      }
      $("player-title").textContent = named(next);
      $("player-at").textContent = where;
      if (!dialog.open) dialog.showModal();
      settle();
      captions();
      arrange();
      if (same) lead().currentTime = at;
      if (!paused) lead().play().catch(() => {});
      tell();
      about().catch((error) => trouble(error.message));
      $("player-title").focus({ preventScroll: true });
    };
    const toggle = () => { if (lead().paused) lead().play().catch(() => {}); else lead().pause(); };
    const frame = (by) => { lead().pause(); lead().currentTime = Math.max(0, lead().currentTime + by * frame_s * 1.001); };
    const flip = (button) => { button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")); settle(); };
    const mute = () => { flip($("mute")); $("mute").textContent = $("mute").getAttribute("aria-pressed") === "true" ? "Muted" : "Sound"; };
    const speed = (by) => { const list = $("speed"); list.selectedIndex = Math.min(list.length - 1, Math.max(0, list.selectedIndex + by)); settle(); };
    const full = () => (document.fullscreenElement ? document.exitFullscreen() : $("theatre").requestFullscreen().catch(() => {}));
    const comment = () => {
      lead().pause();
      const at = lead().currentTime, one = clip;
      const field = make("textarea", { rows: 2, maxlength: 20000, "aria-label": `Comment at ${clock(at)}` });
      const box = make("div", {}, make("h3", {}, `Comment at ${clock(at)}`), field, make("p", { class: "hint" }, "Enter saves · Esc cancels"));
      field.addEventListener("keydown", async (event) => {
        event.stopPropagation();
        if (event.key === "Escape") { event.preventDefault(); box.remove(); $("player-title").focus(); }
        if (event.key !== "Enter" || event.shiftKey || !field.value.trim()) return;
        event.preventDefault();
        try {
          await ask("comment", { clip_key: one.clip_key, second: at, text: field.value.trim() });
          if (one === clip) await about();
          $("player-title").focus();
        } catch (error) { trouble(`The comment is not on record: ${error.message}`); dialog.close(); }
      });
      $("about").prepend(box);
      field.focus();
    };
    dialog.addEventListener("close", () => { films.forEach((video) => video.pause()); films = new Map(); $("films").replaceChildren(); said(clip); });
    $("before").addEventListener("click", () => step(-1));
    $("after").addEventListener("click", () => step(1));
    $("close").addEventListener("click", () => dialog.close());
    $("toggle").addEventListener("click", toggle);
    $("back").addEventListener("click", () => frame(-1));
    $("forth").addEventListener("click", () => frame(1));
    $("loop").addEventListener("click", () => flip($("loop")));
    $("mute").addEventListener("click", mute);
    $("full").addEventListener("click", full);
    $("comment").addEventListener("click", comment);
    $("speed").addEventListener("change", () => { settle(); $("speed").blur(); });
    $("scrub").addEventListener("input", () => { lead().currentTime = Number($("scrub").value); });
    $("scrub").addEventListener("change", () => $("scrub").blur());
    const press = (key) => {
      const act = { " ": toggle, ",": () => frame(-1), ".": () => frame(1), l: () => flip($("loop")), m: mute, f: full, c: comment, "[": () => speed(-1), "]": () => speed(1) }[key];
      act?.();
      return Boolean(act);
    };
    return { open, press, get on() { return dialog.open; }, changed: (one) => { if (films.has(one)) captions(); if (one === clip && dialog.open) about().catch(() => {}); } };
  };

  const start = ({ clips: all, own, topics }) => {
    const clips = all.filter((clip) => clip.clip);
    const byKey = new Map(clips.map((clip) => [clip.clip_key, clip])), rows = new Map();
    clips.forEach((clip) => rows.set(clip.row, [...(rows.get(clip.row) || []), clip].sort(SORTS["as in the CSV"])));
    let current = null, latest = 0;

    const select = (clip, options) => {
      if (!clip) return;
      current = clip;
      if (player.on) player.open(clip, where(clip)); else grid.select(clip, options);
      find.at(clip);
    };
    const where = (clip) => `${find.shown.indexOf(clip) + 1} of ${find.shown.length}`;
    const open = (clip) => { if (!clip) return; current = clip; grid.pause(); player.open(clip, where(clip)); };
    const step = (by) => select(find.shown[Math.min(find.shown.length - 1, Math.max(0, find.shown.indexOf(current) + by))]);
    const grid = gridOf(select, open);
    const find = finder({ clips, own, topics, sort: "as in the CSV", draw: (shown) => {
      grid.draw(shown);
      $("empty").hidden = Boolean(shown.length);
      $("empty").textContent = clips.length ? "No clip is like that." : "There is no delivered clip to look at yet.";
      if (shown.length && !shown.includes(current) && !player.on) { current = shown[0]; grid.select(current, { scroll: false }); }
    } });

    const tell = () => {
      const { decided, all: there, text } = progress(clips);
      $("decided").textContent = text;
      document.querySelector(".meter i").style.width = `${there ? (100 * decided) / there : 0}%`;
    };
    const changed = (clip) => { grid.mark(); player.changed(clip); tell(); find.count(); };
    const apply = (entries) => {  // the latest entry of a clip is what stands, whoever said it
      const news = new Set();
      entries.forEach((entry) => {
        const clip = byKey.get(entry.clip_key);
        if (!clip || entry.number <= clip.number) return;
        Object.assign(clip, { verdict: entry.verdict, note: entry.note, retake_prompt: entry.prompt, by: entry.by, number: entry.number });
        news.add(clip);
      });
      return news;
    };

    // One after another, so that what was pressed last is what stands.
    let line = Promise.resolve(), waiting = 0;
    const page = crypto.randomUUID(), unanswered = [];  // all of it is said once more, and at once, when the page is left
    let turn = 0;
    addEventListener("pagehide", () => { if (unanswered.length) ask("left", { verdicts: unanswered }).catch(() => {}); });
    const send = (path, given, clip) => {
      waiting += 1;
      const one = { ...given, page, turn: ++turn };
      unanswered.push(one);
      line = line.then(() => ask(path, one)).finally(() => unanswered.splice(unanswered.indexOf(one), 1)).then(({ verdicts }) => { const last = verdicts[verdicts.length - 1]; trouble(path === "undo" && last && !last.undo ? `Not undone: ${last.by} has said ${last.verdict || "something"} of ${named(clip)} since.` : ""); waiting -= 1; if (!waiting) { apply(verdicts); changed(clip); } else verdicts.forEach((one) => { clip.number = Math.max(clip.number, one.number); }); },
        (error) => { waiting -= 1; Object.assign(clip, clip.was); changed(clip); trouble(`Not on record: ${named(clip)} (${error.message}). Is the server still running?`); });
    };
    const verdicts = decider({
      before: (clip) => { clip.was = { verdict: clip.verdict, note: clip.note, retake_prompt: clip.retake_prompt }; },
      keep: (clip, said) => send("verdict", { clip_key: clip.clip_key, ...said }, clip),
      undo: (clip) => send("undo", { clip_key: clip.clip_key, seen: clip.number }, clip),
      changed,
    });
    const player = playerOf({ takes: (clip) => rows.get(clip.row), select, step, verdicts, said: (clip) => { current = clip; grid.select(clip); grid.resume(); } });

    const news = async () => {
      if (!document.hidden && !waiting) {
        try {
          const { verdicts: entries, latest: seen } = await ask(`news.json?after=${latest}`);
          if (!waiting) { apply(entries).forEach(changed); latest = seen; }
          if ($("trouble").textContent.startsWith("The server")) trouble("");
        } catch { trouble("The server does not answer: verdicts given now are not kept."); }
      }
      setTimeout(news, NEWS_EVERY_MS);
    };

    const ARROWS = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => (player.on ? 1 : grid.columns), ArrowUp: () => (player.on ? -1 : -grid.columns) };
    document.addEventListener("keydown", (event) => {
      if (!meant(event) || $("help").open || $("note").open) return;
      const { key } = event;
      if ((key === " " || key === "Enter") && onButton(event)) return;
      if (verdicts.press(event, current)) return;
      const act = ARROWS[key] ? () => step(ARROWS[key]())
        : player.on ? () => player.press(key) || false
        : { " ": grid.toggle, Enter: () => open(current), Home: () => step(-Infinity), End: () => step(Infinity), "/": () => $("find").focus() }[key];
      if (key === "?") $("help").showModal();
      else if (!act || act() === false) return;
      event.preventDefault();
    });
    $("find").addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") { $("find").blur(); grid.select(current); } });
    $("help-open").addEventListener("click", () => $("help").showModal());
    $("help-close").addEventListener("click", () => $("help").close());
    $("keys").append(...KEYS.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]));

    return ask("news.json?after=0").then(({ verdicts: entries, title, latest: seen }) => {
      latest = seen;
      $("title").textContent = title;
      document.title = `${title} · dailies review`;
      apply(entries);
      find.count();
      tell();
      const linked = find.recall();
      find.refresh(linked);
      select(linked || find.shown[0], { scroll: Boolean(linked) });
      addEventListener("hashchange", () => { const clip = find.recall(); find.refresh(clip); select(clip); });
      setTimeout(news, NEWS_EVERY_MS);
      document.documentElement.dataset.ready = "yes";
      performance.mark("ready");
    });
  };

  ask("clips.json").then(objects).then(start).catch((error) => trouble(`The clips can’t be shown: ${error.message}`));
