"use strict";
// Filtering by the text that the program's views take, and copying. Without scripts everything is there all the same.
(() => {
  const cards = [...document.querySelectorAll("article.card")];
  const rows = new Map([...document.querySelectorAll("#list tbody tr")].map((row) => [row.dataset.id, row]));
  const form = document.querySelector("#filtering");
  const alias = { sev: "severity", id: "finding", fw: "firmware", seen: "count" };

  const values = (card, field) =>
    field === "finding" ? [card.id] : card.dataset[field] === undefined ? null : card.dataset[field].split("\n");
  const like = (wanted) =>
    new RegExp("^" + wanted.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*") + "$", "i");
  const number = (field, text) => (field === "severity" ? -Number(text.replace(/^s/i, "")) : Number(text));

  function holds(card, term) {
    const found = /^([a-z]+)(!=|>=|<=|[:=~><])(.*)$/i.exec(term);
    if (!found) return card.textContent.toLowerCase().includes(term.toLowerCase());
    const field = alias[found[1].toLowerCase()] || found[1].toLowerCase();
    const [, , sign, text] = found;
    const have = values(card, field);
    if (have === null) return null;
    const wanted = text.split(",").map((part) => part.replaceAll('"', ""));
    const any = (test) => have.some((value) => wanted.some((want) => test(value, want)));
    switch (sign) {
      case "~": return any((value, want) => value.toLowerCase().includes(want.toLowerCase()));
      case "!=": return !any((value, want) => like(want).test(value));
      case ">=": return any((value, want) => number(field, value) >= number(field, want));
      case "<=": return any((value, want) => number(field, value) <= number(field, want));
      case ">": return any((value, want) => number(field, value) > number(field, want));
      case "<": return any((value, want) => number(field, value) < number(field, want));
      default: return any((value, want) => like(want).test(value));
    }
  }

  function filter(text) {
    const terms = text.match(/(?:[^\s"]|"[^"]*")+/g) || [];
    let unknown = "", shown = 0;
    for (const card of cards) {
      let keep = true, not = false;
      for (const term of terms) {
        if (term.toLowerCase() === "not") { not = true; continue; }
        const held = holds(card, term);
        if (held === null) unknown = term;
        else if (held === not) keep = false;
        not = false;
      }
      card.hidden = !keep;
      if (rows.has(card.id)) rows.get(card.id).hidden = !keep;
      shown += keep;
    }
    document.querySelector("#told").textContent =
      unknown ? `no such field: ${unknown}` : terms.length ? `${shown} of ${cards.length}` : "";
  }

  if (form) {
    const box = document.querySelector("#filter");
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    box.addEventListener("input", () => {
      filter(box.value);
      history.replaceState(null, "", box.value ? "#filter=" + encodeURIComponent(box.value) : " ");
    });
    const asked = () => {
      if (!location.hash.startsWith("#filter=")) return;
      box.value = decodeURIComponent(location.hash.slice(8));
      filter(box.value);
    };
    addEventListener("hashchange", asked);
    asked();
  }

  for (const block of document.querySelectorAll("details.markdown")) {
    const button = document.createElement("button");
    const text = block.querySelector("pre");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      getSelection().selectAllChildren(text);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: copy it";
      getSelection().removeAllRanges();
    });
    block.insertBefore(button, text);
  }
})();
