// Asks before what cannot be taken back, and prints.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
document.querySelector("[data-print]")?.addEventListener("click", () => window.print());
