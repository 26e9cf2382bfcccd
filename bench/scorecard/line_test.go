package scorecard

import (
	"slices"
	"testing"
)

// A line is a situation, and what a peer must do there.
type line struct {
	name  string
	story string // what happens; sentences
	holds string // "It holds if …"
	slow  bool   // only with -all
	alone bool   // one peer after the other
	fits  func(Peer) bool
	run   func(*testing.T, Peer) Result
}

func everyPeer(Peer) bool { return true }
func ownAuth(p Peer) bool { return p.OwnAuth }
func ownSend(p Peer) bool { return p.OwnSend }

func lines() []line {
	return slices.Concat(waitingLines, outageLines, refusalLines, secretLines, processLines, costLines)
}
