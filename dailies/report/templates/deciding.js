  // Verdicts by keyboard and by button, the same on the report and in the screening room. `before(clip)` sees
  // what stood, `keep(clip, said)` and `undo(clip)` put them where they belong, `changed(clip)` shows them.
  const WORDS = { k: "keep", r: "retake", x: "reject" };
  const badge = (clip) => clip.verdict ? make("span", { class: "verdict", "data-verdict": clip.verdict }, clip.verdict)
    : clip.note ? make("span", { class: "verdict" }, "note") : null;

  const decider = ({ before = () => {}, keep, undo, changed }) => {
    const dialog = $("note");
    let noted = null;

    const put = (clip, said) => {
      before(clip);
      const prompt = said.verdict === "retake" ? said.prompt || "" : "";
      Object.assign(clip, { verdict: said.verdict, note: said.note, retake_prompt: prompt });
      changed(clip);
      keep(clip, { verdict: said.verdict, note: said.note, prompt });
    };
    const decide = (clip, verdict) => {
      if (!clip?.s3_uri) return say("There is nothing to decide: this clip is not delivered");
      put(clip, { verdict, note: clip.note, prompt: clip.retake_prompt });
      say(`${named(clip)}: ${verdict}`);
    };
    const note = (clip) => {
      if (!clip?.s3_uri) return;
      noted = clip;
      $("note-title").textContent = `Note on ${named(clip)}`;
      $("note-text").value = clip.note;
      $("note-prompt").value = clip.retake_prompt;
      $("note-prompt-label").hidden = clip.verdict !== "retake";
      dialog.showModal();
      $("note-text").focus();
    };
    const close = (store) => {
      if (store && noted) put(noted, { verdict: noted.verdict, note: $("note-text").value.trim(), prompt: $("note-prompt").value.trim() });
      noted = null;
      dialog.close();
    };
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && event.target.tagName === "TEXTAREA") { event.preventDefault(); close(true); }
      event.stopPropagation();
    });
    $("note-save").addEventListener("click", () => close(true));
    $("note-cancel").addEventListener("click", () => close(false));

    // True when the key was one of ours.
    const press = (event, clip) => {
      if (WORDS[event.key]) decide(clip, WORDS[event.key]);
      else if (event.key === "n") note(clip);
      else if (event.key === "u") { if (clip) undo(clip); }
      else return false;
      event.preventDefault();
      return true;
    };
    const buttons = (clip) => make("div", { class: "decide", role: "group", "aria-label": `Verdict on ${named(clip)}` },
      ...Object.entries(WORDS).map(([key, word]) =>
        make("button", { type: "button", "data-word": word, "aria-pressed": String(clip.verdict === word), onclick: () => decide(clip, word) }, word, make("kbd", {}, key))),
      make("button", { type: "button", onclick: () => note(clip) }, "note", make("kbd", {}, "n")),
      make("button", { type: "button", onclick: () => undo(clip) }, "undo", make("kbd", {}, "u")));
    return { press, decide, note, buttons };
  };

  // The progress of choosing, in words: `31 of 40 decided · 20 keep · 8 retake · 3 reject`.
  const progress = (clips) => {
    const there = clips.filter((clip) => clip.s3_uri);
    const count = (word) => there.filter((clip) => clip.verdict === word).length;
    const each = Object.values(WORDS).map((word) => [word, count(word)]);
    const decided = each.reduce((sum, [, n]) => sum + n, 0);
    return { decided, all: there.length, text: [`${decided} of ${there.length} decided`, ...each.filter(([, n]) => n).map(([word, n]) => `${n} ${word}`)].join(" · ") };
  };
