// The page of differences: tables that sort and that can be downloaded.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const table of document.querySelectorAll("table.sortable"))
    Tables.dress(table, data.name, (order) => Tables.sortTable(table, order));
})();
