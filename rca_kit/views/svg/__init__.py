"""Static pictures as inline SVG: drawn without a browser, readable with scripts blocked, coloured by the page's CSS."""

from __future__ import annotations

from rca_kit.views.svg.bars import restored_bars, sparkline
from rca_kit.views.svg.chart import metric_chart
from rca_kit.views.svg.ishikawa import ishikawa
from rca_kit.views.svg.tree import scope_tree

__all__ = ["ishikawa", "metric_chart", "restored_bars", "scope_tree", "sparkline"]
