// Tells times where the reader is; without this they are told where the gateway is, with the zone.
"use strict";

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    // A day is written before the time where it may be another one.
    const form = /^\d{4}-/.test(time.textContent)
      ? { dateStyle: "medium", timeStyle: "short" }
      : { timeStyle: "short" };
    time.title = time.textContent;
    time.textContent = new Intl.DateTimeFormat(undefined, form).format(new Date(time.dateTime));
    time.dataset.local = "yes";
  }
}

localise(document);
