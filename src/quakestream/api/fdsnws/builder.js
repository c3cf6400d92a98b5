"use strict";

// The address that the fields ask for, as a link.
const fields = [...document.querySelectorAll("input, select")];
const link = document.querySelector("#url a");

function build() {
  const query = new URLSearchParams();
  for (const field of fields) {
    const value = field.value.trim();
    if (value) query.set(field.id, value);
  }
  const text = query.toString();
  link.href = text ? `query?${text}` : "query";
  link.textContent = link.href;
}

for (const field of fields) field.addEventListener("input", build);
build();
