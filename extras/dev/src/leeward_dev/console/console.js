// Reads the parts of a page again that have changed, while somebody looks. Without this file
// everything works; a reload shows what is new.

const EVERY = 2000; // milliseconds

const main = document.getElementById("main");

// What a person has done in a part goes along when the part is replaced.
function keep(old, part) {
  for (const box of old.querySelectorAll("input:checked")) {
    const same = [...part.querySelectorAll("input")].find(
      (each) => each.name === box.name && each.value === box.value,
    );
    if (same) same.checked = true;
  }
  const marked = (each) => each.getAttribute("href") || `${each.name} ${each.value}`;
  const focused = old.contains(document.activeElement) && document.activeElement;
  old.replaceWith(part);
  if (!focused) return;
  const same = [...part.querySelectorAll(focused.tagName)];
  (same.find((each) => marked(each) === marked(focused)) || main).focus({ preventScroll: true });
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  // The app is being loaded again, or a new start has a new token.
  if ([401, 503].includes(answer.status)) return location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of page.querySelectorAll("[data-live][id]")) {
    const old = document.getElementById(part.id);
    const isRead = old && !getSelection().isCollapsed && old.contains(getSelection().anchorNode);
    if (old && !isRead && old.outerHTML !== part.outerHTML) keep(old, part);
  }
}

async function follow() {
  if (!document.hidden) await refresh().catch(() => {}); // nobody listens for a moment
  setTimeout(follow, EVERY);
}

// A box at the head of a list chooses all of it.
document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-all]")) return;
  for (const box of main.querySelectorAll(`input[name="${target.dataset.all}"]`)) {
    box.checked = target.checked;
  }
});

// A form is sent once, also by a double click: its answer is a new page.
let isSent = false;
addEventListener("submit", (event) => {
  if (isSent) event.preventDefault();
  isSent = true;
});
addEventListener("pageshow", () => { isSent = false; });

if (main?.hasAttribute("data-follow")) setTimeout(follow, EVERY);
