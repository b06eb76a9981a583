"""Step 5, Samples: bad rows beside their nearest healthy twins, and short rules that tell them apart."""
