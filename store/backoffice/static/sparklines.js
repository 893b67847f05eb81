/* Hides sparklines from screen readers: their marks have no names, and the chart below says the same. */
for (const metrics of document.querySelectorAll('[class*="st-key-metrics-"]')) {
  const hide = () => {
    for (const chart of metrics.querySelectorAll('[data-testid="stMetricChart"]')) chart.ariaHidden = "true";
  };
  new MutationObserver(hide).observe(metrics, { childList: true, subtree: true });
  hide();
}
