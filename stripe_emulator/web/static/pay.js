// The pay page, made comfortable. Without this file it works too: the server checks everything.
"use strict";

const form = document.getElementById("pay-form") || document.querySelector("main form");
// Inputs have the ids of Stripe's page; here they go by our names.
const field = (name) => document.querySelector(`[data-field="${name}"]`) || document.getElementById(name);
const digitsOf = (text) => text.replace(/\D/g, "");

const BRANDS = [
  ["Visa", /^4/],
  ["Mastercard", /^(5[1-5]|2[2-7])/],
  ["Amex", /^3[47]/],
  ["Discover", /^6(011|4[4-9]|5)/],
  ["Diners", /^3(0|6|8)/],
  ["JCB", /^35/],
  ["UnionPay", /^62/],
];
const brandOf = (digits) => (BRANDS.find(([, start]) => start.test(digits)) || [""])[0];
const groupsOf = (digits) =>
  brandOf(digits) === "Amex"
    ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10, 15)]
    : digits.slice(0, 19).match(/.{1,4}/g) || [];
const groupNumber = (text) => groupsOf(digitsOf(text)).filter(Boolean).join(" ");

/** "1", "12", "1230", "12/2030" and "5" become what MM / YY wants; a slash may be typed too. */
function groupExpiry(text) {
  let digits = digitsOf(text);
  if (/^[2-9]/.test(digits) || /^\d\s*\//.test(text)) digits = "0" + digits;
  if (/^\d{2}20\d{2}$/.test(digits)) digits = digits.slice(0, 2) + digits.slice(4);
  const [month, year] = [digits.slice(0, 2), digits.slice(2, digits[2] === "2" && digits[3] === "0" ? 6 : 4)];
  return year || (month.length === 2 && /\/\s*$/.test(text)) ? `${month} / ${year}` : month;
}

function passesLuhn(digits) {
  return (
    [...digits].reverse().reduce((sum, digit, index) => {
      const value = Number(digit) * (1 + (index % 2));
      return sum + (value > 9 ? value - 9 : value);
    }, 0) % 10 === 0
  );
}

/** What is wrong with each field, in the words the server uses too; "" where nothing is. */
const CHECKS = {
  email: (text) => (/^\S+@\S+\.\S+$/.test(text.trim()) ? "" : "Enter an email address like you@example.com."),
  number: (text) => {
    const digits = digitsOf(text);
    if (digits.length < (brandOf(digits) === "Amex" ? 15 : 16)) return "Your card number is incomplete.";
    return passesLuhn(digits) ? "" : "Your card number is incorrect.";
  },
  expiry: (text) => {
    const [, month, year] = text.match(/^\s*(\d{1,2})\s*\/\s*(?:20)?(\d{2})\s*$/) || [];
    if (!year || month < 1 || month > 12) return "Enter the expiry as MM / YY.";
    const end = new Date(2000 + Number(year), Number(month), 1);
    return end > new Date() ? "" : "Your card's expiry is in the past.";
  },
  cvc: (text) => {
    const wanted = brandOf(digitsOf(field("number").value)) === "Amex" ? 4 : 3;
    return digitsOf(text).length === wanted ? "" : `Your card's security code has ${wanted} digits.`;
  },
};

for (const input of document.querySelectorAll("[data-missing]")) {
  const given = () => (input.type === "checkbox" ? input.checked : input.value.trim());
  CHECKS[input.dataset.field] = () => (given() ? "" : input.dataset.missing);
}

function say(name, message) {
  const input = field(name);
  field(`${name}-error`).textContent = message;
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** Rewrite what was typed and leave the caret behind the digit it stood behind. */
function reshape(input, shape) {
  const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
  const atEnd = input.selectionStart === input.value.length;
  const shaped = shape(input.value);
  if (shaped === input.value) return;
  input.value = shaped;
  let caret = 0;
  for (let seen = 0; seen < before && caret < shaped.length; caret += 1) {
    if (/\d/.test(shaped[caret])) seen += 1;
  }
  if (document.activeElement === input) {
    const place = atEnd ? shaped.length : caret;
    input.setSelectionRange(place, place);
  }
}

function showBrand() {
  const brand = brandOf(digitsOf(field("number").value));
  field("brand").textContent = brand;
  field("cvc").placeholder = brand === "Amex" ? "4 digits" : "3 digits";
}

function fill(number) {
  if (field("method-card")) field("method-card").checked = true;
  field("number").value = groupNumber(number);
  field("expiry").value = `12 / ${String((new Date().getFullYear() + 4) % 100).padStart(2, "0")}`;
  field("cvc").value = brandOf(number) === "Amex" ? "1234" : "123";
  ["number", "expiry", "cvc"].forEach((name) => say(name, ""));
  showBrand();
  field("pay").focus();
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return; // Clipboard denied: the number stands there to be selected.
  }
  button.firstElementChild.textContent = "Copied";
  field("copy-status").textContent = "Copied.";
  setTimeout(() => (button.firstElementChild.textContent = "Copy"), 1500);
}

/** The first faulty field is given the focus; the others are marked as well. */
function validate() {
  const names = Object.keys(CHECKS).filter((name) => field(name)?.offsetParent); // what is in sight
  const faulty = names.filter((name) => {
    say(name, CHECKS[name](field(name).value));
    return field(name).hasAttribute("aria-invalid");
  });
  if (faulty.length) field(faulty[0]).focus();
  return !faulty.length;
}

// A message that appeared while a button is held down would push it from under the pointer.
let pressing = false;
document.addEventListener("pointerdown", (event) => (pressing = Boolean(event.target.closest("button"))));
document.addEventListener("pointerup", () => (pressing = false));

let sent = false;

function submit(event) {
  if (sent || (field("pay") && !validate())) return event.preventDefault();
  sent = true;
  const button = event.submitter || field("pay");
  // Marked, not disabled: a disabled button would not be sent, and the flag stops a second click.
  button.setAttribute("aria-disabled", "true");
  button.dataset.label = button.textContent;
  button.textContent = "Processing…";
}

function wakeAgain() {
  sent = false;
  for (const button of document.querySelectorAll("[data-label]")) {
    button.textContent = button.dataset.label;
    button.removeAttribute("aria-disabled");
  }
}

/** Shipping and codes change the total: the amounts are drawn anew, what was typed stays. */
async function adjust(event) {
  const changed = event.target.closest(".adjust");
  if (!changed || (event.type === "change" && changed.id !== "shipping")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(changed, event.submitter));
  const answer = await fetch(changed.action, { method: "POST", body }).catch(() => null);
  const page = new DOMParser().parseFromString(answer ? await answer.text() : "", "text/html");
  const same = (name) => Boolean(page.querySelector(name)) === Boolean(document.querySelector(name));
  if (!page.getElementById("pay-form") || !same(".by-card")) return location.reload();
  for (const name of ["amounts", "promotion", "shown-total"]) field(name)?.replaceWith(page.getElementById(name));
  field("pay").textContent = page.getElementById("pay").textContent;
  document.title = page.title;
  const problem = page.querySelector("#promotion .error")?.textContent;
  field("total-status").textContent = problem || `Total: ${document.querySelector(".total").textContent}`;
  if (changed.id === "promotion") document.querySelector("#promotion :is(input, button)").focus();
}

document.addEventListener("submit", adjust);
document.addEventListener("change", adjust);
form?.addEventListener("submit", submit);
window.addEventListener("pageshow", wakeAgain); // Back may bring the page out of the cache as it was.

if (field("number")) {
  field("number").addEventListener("input", (event) => {
    reshape(event.target, groupNumber);
    showBrand();
  });
  field("expiry").addEventListener("input", (event) => {
    if (!event.inputType?.startsWith("delete")) reshape(event.target, groupExpiry);
  });
  field("cvc").addEventListener("input", (event) => reshape(event.target, (text) => digitsOf(text).slice(0, 4)));
  for (const name of Object.keys(CHECKS)) {
    const input = field(name);
    input.addEventListener("blur", () => input.value && !pressing && say(name, CHECKS[name](input.value)));
    input.addEventListener("input", () => input.hasAttribute("aria-invalid") && say(name, ""));
  }
  for (const button of document.querySelectorAll("[data-fill]")) {
    button.addEventListener("click", () => fill(button.dataset.fill));
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy(button));
  }
  for (const image of document.querySelectorAll(".thumb img")) {
    image.addEventListener("error", () => image.remove());
    if (image.complete && !image.naturalWidth) image.remove();
  }
  showBrand();
  // On a phone the keyboard would cover what is bought; a faulty field has the focus already.
  const wide = window.matchMedia("(min-width: 56rem)").matches;
  const asked = document.querySelector("[data-missing]");
  if (wide && !asked && document.activeElement === document.body) field("number").focus();
  else document.querySelector("[role=alert]")?.scrollIntoView();
}
