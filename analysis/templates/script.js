// What the page does besides being read: explain, change its colours, copy the plan, give the JSON back.
"use strict";
(() => {
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  root.classList.add("scripts");

  // Explanations: on hover, focus and touch; Escape closes.
  const tip = by("tip");
  let owner = null;
  const hide = () => {
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const place = () => {
    const box = owner.getBoundingClientRect();
    const room = root.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(box.left + box.width / 2 - tip.offsetWidth / 2, room))}px`;
    const above = box.top - tip.offsetHeight - 6;
    tip.style.top = `${above > 4 ? above : box.bottom + 6}px`;
  };
  const show = (element) => {
    if (owner === element) return;
    hide();
    owner = element;
    // The browser would show the title of a drawing's mark as well; it stays as its name.
    const title = element.querySelector(":scope > title");
    if (title) {
      element.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    tip.textContent = element.getAttribute("data-tip");
    // What a drawing says without this script would be said twice.
    const native = element.querySelector(":scope > title");
    if (native && native.textContent) {
      element.setAttribute("aria-label", native.textContent);
      native.textContent = "";
    }
    tip.hidden = false;
    element.setAttribute("aria-describedby", "tip");
    place();
  };
  const described = (event) => event.target.closest && event.target.closest("[data-tip]");
  document.addEventListener("pointerover", (event) => {
    const element = described(event);
    if (element) show(element);
    else if (!tip.contains(event.target) && owner !== document.activeElement) hide();
  });
  document.addEventListener("focusin", (event) => (described(event) ? show(described(event)) : hide()));
  document.addEventListener("focusout", hide);
  document.addEventListener("click", (event) => (described(event) ? show(described(event)) : hide()));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  // What has the focus may have been scrolled into sight by it.
  document.addEventListener("scroll", () => owner && (owner === document.activeElement ? place() : hide()), {
    capture: true,
    passive: true,
  });

  // Colours: the system's until the button is used; nothing is remembered.
  const theme = by("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();

  // The JSON: as it was written, so what escaping changed for the page is changed back.
  const json = () =>
    by("comparison").textContent.replace(/\\\\|\\u(003c|003e|0026|2028|2029)/g, (all, code) =>
      code ? String.fromCharCode(parseInt(code, 16)) : all,
    );
  by("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([json()], { type: "application/json" }));
    link.download = "comparison.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  // The plan: from the JSON, where nothing was made visible that was not.
  const say = (text) => (by("said").textContent = text);
  by("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(JSON.parse(by("comparison").textContent).plan_toml);
      say("The plan was copied");
      by("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(by("plan-text"));
      say("The plan is selected: copy it with the keyboard");
      by("copy").textContent = "Selected: press Ctrl+C";
    }
  });

  // Cells: a link to one opens it; paper has them all open.
  const cells = () => [...document.querySelectorAll("details")];
  const open = () => {
    for (let at = document.querySelector(":target"); at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  addEventListener("hashchange", open);
  open();
  for (const button of document.querySelectorAll("[data-all]"))
    button.addEventListener("click", () => cells().forEach((cell) => (cell.open = button.dataset.all === "open")));
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = cells().filter((cell) => !cell.open);
    closed.forEach((cell) => (cell.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((cell) => (cell.open = false)));
})();
