"""Which conjunctions of dimension values carry a change: a pure search over coded leaves.

A *leaf* is one combination of values of all dimensions. The measures say, leaf by leaf, how well each of a grid of effects
fits; the search adds those up over segments and takes the best, one segment after the other.
"""

from rca_kit.stats.segments.counts import Counts
from rca_kit.stats.segments.evidence import Measure
from rca_kit.stats.segments.found import Found, SearchResult
from rca_kit.stats.segments.histograms import auc_means, exceedances
from rca_kit.stats.segments.means import Means
from rca_kit.stats.segments.search import search
from rca_kit.stats.segments.totals import Totals

__all__ = ["Counts", "Found", "Means", "Measure", "SearchResult", "Totals", "auc_means", "exceedances", "search"]
