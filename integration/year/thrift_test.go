package year_test

import "time"

const (
	// A renewal that fails is of a refresh and three exchanges at most. The
	// pauses between them double from half a second or more to 15 seconds or more:
	// six have begun by then, and one may be under way.
	callsEach = 4
	callsSoon = 7 * callsEach
	longPause = 15 * time.Second

	// While a token serves, a pause is a quarter of its time left at most. So in
	// the end it is tried more often, with a call or two.
	closing      = 4 * longPause
	callsClosing = 60
)

// thrift tells whether auth calls that fail are as few as they should be, however
// often the program asks.
type thrift struct {
	end     time.Time // of the token that the Source has, as far as is known
	last    time.Time // when a call began
	soon    float64   // calls, less what is allowed in the time that they took
	closing int       // calls shortly before the end
}

// exceeds counts a call that began then, and reports whether it is one too many.
func (h *thrift) exceeds(began time.Time) bool {
	if left := h.end.Add(-margin).Sub(began); 0 < left && left < closing {
		h.closing++
		return h.closing > callsClosing
	}
	due := callsEach * began.Sub(h.last).Seconds() / longPause.Seconds()
	h.soon, h.last = max(0, h.soon-due)+1, began
	return h.soon > callsSoon
}
