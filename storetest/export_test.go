package storetest

import "time"

func init() { longHold = time.Second }

// Checks are the checks of TestStore.
var Checks = checks
