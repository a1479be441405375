// The landing page: its question field and its starters ask in the widget's panel.

const form = document.getElementById("ask");
const input = document.getElementById("question");

const ask = (query) => dispatchEvent(new CustomEvent("ask-docs:open", { detail: { query, send: true } }));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = input.value.trim();
  if (!query) return;
  input.value = "";
  ask(query);
});

for (const button of document.querySelectorAll(".starters button")) {
  button.addEventListener("click", () => ask(button.textContent));
}
