package ocftools

import "time"

// budget bounds one call: an agent's operation has 20 s by default, and must still be able to say why it failed.
const budget = 15 * time.Second
