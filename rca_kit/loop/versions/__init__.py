"""One version of a model against another: golden-set replay, shadow compare, canary gates."""
