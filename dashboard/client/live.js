// The page around a report that grows: how far the run is, and the report anew when there is more.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const report = byId("report");
  let shown = "";

  function tell(state) {
    const rows = state.num_rows ? `, ${state.num_rows.toLocaleString("en")} rows` : "";
    byId("state").textContent = state.over
      ? "The run is finished."
      : `${state.stage}: ${state.num_done} of ${state.total} ${state.unit}${rows}, ${Math.round(state.seconds)} s`;
    byId("progress").max = state.total || 1;
    byId("progress").value = state.over ? state.total || 1 : state.num_done;
  }

  // The frame keeps its address, and so its view.
  function reload(version) {
    const hash = shown ? report.contentWindow.location.hash : location.hash;
    shown = version;
    report.contentWindow.location.replace(`/report.html?${version}${hash}`);
  }

  async function look() {
    try {
      const state = await (await fetch("/state.json")).json();
      tell(state);
      if (state.version !== shown && (byId("follow").checked || !shown)) reload(state.version);
      if (state.over) return;
    } catch {
      byId("state").textContent = "The run no longer answers: it has ended, or was stopped.";
    }
    setTimeout(look, 1_000);
  }

  look();
})();
