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

  // A clip as an object: its list of values under its fields' names, and what searching and sorting need.
  const join = (...parts) => parts.filter(Boolean).join("\n").toLowerCase();
  const object = ({ fields, topics }, values, at) => {
    const clip = Object.fromEntries(fields.map((name, i) => [name, values[i]]));
    return Object.assign(clip, {
      at, row: `${clip.batch}\n${clip.id}`, seat: at, rank: topics.indexOf(clip.topic), verdict: clip.verdict || "", note: clip.verdict_note || "",
      retake_prompt: "", by: clip.verdict_by || "", number: 0,
      text: join(clip.id, clip.prompt, clip.model, clip.provider, clip.batch, clip.image, clip.error, clip.mismatch, clip.marks, clip.take, ...clip.labels),
      ids: join(clip.clip_key, clip.generation_id, clip.attempt, clip.s3_uri),
    });
  };
  // All takes of a row sit where its first clip does.
  const seated = (clips) => {
    const seats = new Map();
    clips.forEach((clip) => {
      if (!seats.has(clip.row)) seats.set(clip.row, clip.at);
      clip.seat = seats.get(clip.row);
    });
    return clips;
  };
  const objects = ({ clips, links, ...page }) => ({ ...page, clips: seated(clips.map((values, at) => object(page, [...values, ...links[at]], at))) });

  // What a look at a clip's footage has found: its marks one by one, and what the filter calls them.
  const marksOf = (clip) => (clip.marks && clip.marks !== "fine" ? clip.marks.split("; ") : []);
  const kindsOf = (clip) => [...new Set(marksOf(clip).map((mark) => mark.split(" ")[0]))];
  const lookOf = (clip) => (!clip.s3_uri ? "" : !clip.marks ? "not looked at" : marksOf(clip).length ? ["any mark", ...kindsOf(clip)] : "fine");

  const dollars = (text) => (text ? Number(text.replace(/[$,]/g, "")) : -1);
  const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`);
  const when = (iso) => iso.replace("T", " ").replace("+00:00", " UTC");
  const paid = (clip) => clip.usd_charged || (clip.risk ? `${clip.risk} at risk` : clip.usd_quoted ? `${clip.usd_quoted} quoted` : "–");

  const SORTS = {
    "what needs you first": (a, b) => a.rank - b.rank || a.at - b.at,
    "as in the CSV": (a, b) => a.seat - b.seat || a.take.localeCompare(b.take, "en", { numeric: true }) || a.at - b.at,
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

  // One video of a clip; why it can't be had stands in its place.
  const film = (clip, attributes = {}) => {
    const video = make("video", { playsinline: true, preload: "metadata", src: clip.clip, poster: clip.poster, "aria-label": clip.id, ...attributes });
    video.addEventListener("error", () => {
      const lost = make("div", { class: "stage none", role: "alert" }, "This clip can’t be reached from here. Its S3 address is in the details.");
      (video.closest(".stage") || video).replaceWith(lost);
    });
    return video;
  };
  const poster = (clip) => {
    const image = clip.poster && make("img", { src: clip.poster, alt: "", loading: "lazy", decoding: "async" });
    if (image) image.addEventListener("error", () => { image.parentNode?.classList.add("blank"); image.remove(); });
    return image || null;
  };
  const takeName = (clip) => (clip.take ? `take ${clip.take}` : "");
  const named = (clip) => [clip.id, takeName(clip)].filter(Boolean).join(" · ");

  // A press of a key that is meant for the page: not typed into a field, not a browser's own.
  const meant = (event) => !event.target.closest?.("input:not([type=range]), select, textarea") && !event.ctrlKey && !event.metaKey && !event.altKey;
  const onButton = (event) => event.target.closest?.("button, a, summary")?.matches(":focus-visible");

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button.dataset.copy, button);
    if (event.detail > 0) event.target.closest?.("button")?.blur();  // a click leaves space and Enter to the page
  });

  // Clips are saved one after another: a browser lets a page start a few downloads, and asks before the next.
  const save = (href, name) => {
    const link = make("a", { href, download: name, hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
  };
  const fileName = (clip) => `${named(clip).replace(/[^\w.\-]+/g, "_")}.mp4`;
  const saveAll = async (clips) => {
    for (const clip of clips.filter((one) => one.clip)) {
      save(clip.clip, fileName(clip));
      await new Promise((done) => setTimeout(done, 250));
    }
  };
