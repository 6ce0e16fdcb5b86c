"use strict";
// The search of the manual, also for pages that are opened from a disk: there nothing can be fetched, so that the index
// comes as a script. It is written over the search that MkDocs brings (docs/outside.py).
(() => {
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const load = (name) => new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = folder + name;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  const ready = Promise.all([load("lunr.js"), load("search_index.js")]).then(() => {
    const docs = window.manualSearchIndex.docs;
    const index = window.lunr(function build() {
      this.ref("place"); this.field("title", { boost: 10 }); this.field("text");
      docs.forEach((one, place) => this.add({ place, title: one.title, text: one.text }));
    });
    return { docs, index };
  });
  const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  function show(query, found, docs) {
    const box = document.getElementById("mkdocs-search-results");
    box.innerHTML = found.length ? found.slice(0, 30).map(({ ref }) => {
      const one = docs[Number(ref)];
      return `<article><h3><a href="${folder}../${escaped(one.location)}">${escaped(one.title)}</a></h3>` +
        `<p>${escaped(one.text.replace(/<[^>]*>/g, " ").slice(0, 200))}</p></article>`;
    }).join("") : query ? "<p>Nothing found.</p>" : "";
  }
  async function search() {
    const query = document.getElementById("mkdocs-search-query").value.trim();
    const { docs, index } = await ready;
    let found = [];
    if (query) {
      found = index.query((wanted) => {
        for (const word of window.lunr.tokenizer(query)) {
          wanted.term(String(word), { boost: 10 });
          wanted.term(String(word), { wildcard: window.lunr.Query.wildcard.TRAILING });
        }
      });
    }
    show(query, found, docs);
  }
  document.addEventListener("DOMContentLoaded", begin);
  if (document.readyState !== "loading") begin();
  function begin() {
    const field = document.getElementById("mkdocs-search-query");
    if (!field || field.dataset.ready) return;
    field.dataset.ready = "yes";
    field.addEventListener("input", search);
    const asked = new URLSearchParams(location.search).get("q");
    if (asked) { field.value = asked; search(); }
  }
})();
