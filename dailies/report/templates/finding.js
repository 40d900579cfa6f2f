  // What is shown, in which order: search, sort, the lists of columns, topics and verdicts; all of it in the address, so
  // that a link leads to a filter, or to one clip.
  // Of a page in parts not all clips are there (`parts`, report.js): they are fetched before anything is looked for.
  const finder = ({ clips, own, topics, sort, draw, parts }) => {
    const VERDICTS = ["undecided", "keep", "retake", "reject"];
    const columns = [
      ["model", (clip) => clip.model], ["provider", (clip) => clip.provider], ["batch", (clip) => clip.batch], ["footage", lookOf],
      ...own.map((name, i) => [name, (clip) => clip.labels[i]]),
    ];
    const lists = new Map();
    const state = { find: "", sort: sort || Object.keys(SORTS)[0], topics: new Set(), verdicts: new Set(), picks: new Map() };
    let shown = [];

    const has = (found, value) => (Array.isArray(found) ? found.includes(value) : found === value);  // of several values one is enough
    const verdictOf = (clip) => clip.verdict || (clip.s3_uri ? "undecided" : "");
    const passes = (clip, words) =>
      (!state.topics.size || state.topics.has(clip.topic)) &&
      (!state.verdicts.size || state.verdicts.has(verdictOf(clip))) &&
      [...state.picks].every(([name, value]) => has(lists.get(name)?.read(clip), value)) &&
      words.every((word) => clip.text.includes(word) || (word.length > 5 && clip.ids.includes(word)));  // short words are in any digest

    const usual = () => !state.find && state.sort === (sort || Object.keys(SORTS)[0]) && !state.topics.size && !state.verdicts.size && !state.picks.size;
    const refresh = (keep) => {
      if (parts?.left() && !usual()) {
        $("shown").textContent = `Looking through ${plural(clips.length, "clip")} …`;
        parts.whole().then(() => refresh(keep));
        return;
      }
      const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
      shown = clips.filter((clip) => clip === keep || passes(clip, words)).sort(SORTS[state.sort]);
      $("shown").textContent = usual() || shown.length === clips.length ? plural(clips.length, "clip") : `${shown.length.toLocaleString("en")} of ${plural(clips.length, "clip")}`;
      draw(shown);
      remember();
    };

    // The address: `#sort=…&find=…&topic=…&verdict=…&NAME=…&clip=…`.
    let current = null;
    const remember = () => {
      const words = new URLSearchParams();
      if (state.find) words.set("find", state.find);
      if (state.sort !== (sort || Object.keys(SORTS)[0])) words.set("sort", state.sort);
      state.topics.forEach((topic) => words.append("topic", topic));
      state.verdicts.forEach((verdict) => words.append("verdict", verdict));
      state.picks.forEach((value, name) => words.append(`is:${name}`, value));
      if (current) words.set("clip", current.clip_key.slice(0, 16));
      const text = words.toString();
      if (text !== location.hash.slice(1)) history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    };
    const recall = () => {
      const words = new URLSearchParams(location.hash.slice(1));
      state.find = words.get("find") || "";
      state.sort = SORTS[words.get("sort")] ? words.get("sort") : sort || Object.keys(SORTS)[0];
      state.topics = new Set(words.getAll("topic").filter((topic) => topics.includes(topic)));
      state.verdicts = new Set(words.getAll("verdict").filter((verdict) => VERDICTS.includes(verdict)));
      state.picks = new Map([...words].filter(([name]) => name.startsWith("is:") && lists.has(name.slice(3))).map(([name, value]) => [name.slice(3), value]));
      $("find").value = state.find;
      $("sort").value = state.sort;
      lists.forEach((list, name) => { list.node.value = state.picks.has(name) ? list.values.indexOf(state.picks.get(name)) : ""; });
      press();
      const key = words.get("clip");
      return key ? clips.find((clip) => clip?.clip_key.startsWith(key)) || null : null;
    };

    const press = () => document.querySelectorAll("#chips button").forEach((chip) => {
      const { topic, verdict } = chip.dataset;
      const on = topic ? state.topics.has(topic) : verdict ? state.verdicts.has(verdict) : !state.topics.size && !state.verdicts.size;
      chip.setAttribute("aria-pressed", on);
    });
    const toggle = (set, value) => {
      if (!value) { state.topics.clear(); state.verdicts.clear(); }
      else if (!set.delete(value)) set.add(value);
      press();
      refresh();
    };
    const chip = (kind, label, n) =>
      make("button", { type: "button", [`data-${kind}`]: label, onclick: () => toggle(kind === "topic" ? state.topics : state.verdicts, label) },
        label, make("b", {}, n.toLocaleString("en")));
    const count = () => {
      const by = (read, said) => (parts?.left() ? new Map(Object.entries(said))
        : clips.reduce((found, clip) => found.set(read(clip), (found.get(read(clip)) || 0) + 1), new Map()));
      const topic = by((clip) => clip.topic, parts?.many.topics), verdict = by(verdictOf, parts?.many.verdicts);
      const all = make("button", { type: "button", "data-topic": "", onclick: () => toggle(state.topics, "") }, "all", make("b", {}, clips.length.toLocaleString("en")));
      const some = topics.filter((one) => topic.has(one));
      $("chips").replaceChildren(all, ...some.map((one) => chip("topic", one, topic.get(one))), make("span", { class: "gap" }),
        ...VERDICTS.filter((one) => verdict.has(one) || state.verdicts.has(one)).map((one) => chip("verdict", one, verdict.get(one) || 0)));
      press();
    };

    const list = ([name, read]) => {
      const values = parts ? parts.many.values[name] : [...new Set(clips.flatMap(read))];
      if (values.length < 2 || values.length > 60) return null;
      values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      const options = values.map((value, i) => make("option", { value: i }, value || "(none)"));
      const node = make("select", {}, make("option", { value: "" }, "all"), ...options);
      lists.set(name, { node, values, read });
      node.addEventListener("change", () => {
        if (node.value === "") state.picks.delete(name); else state.picks.set(name, values[node.value]);
        refresh();
      });
      return make("label", {}, `${name} `, node);
    };

    let soon = 0;
    $("find").addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(() => { state.find = $("find").value; refresh(); }, 80); });
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    $("sort").append(...Object.keys(SORTS).map((name) => make("option", {}, name)));
    $("sort").addEventListener("change", () => { state.sort = $("sort").value; refresh(); });
    $("selects").append(...columns.map(list).filter(Boolean));
    $("controls").hidden = !clips.length;
    count();

    return {
      state, refresh, recall, count, press, usual,
      get shown() { return shown; },
      only: (topic) => { state.topics = new Set([topic]); state.verdicts.clear(); press(); refresh(); },
      at: (clip) => { current = clip; remember(); },
    };
  };
