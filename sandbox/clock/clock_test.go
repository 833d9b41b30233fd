package clock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/sandbox/clock"
)

func TestRealTellsHowLongAScaledDurationLastsOnTheMachine(t *testing.T) {
	assert.Equal(t, 2*time.Second, clock.Real(clock.Scaled(30), time.Minute))
	assert.Equal(t, time.Minute, clock.Real(clock.Scaled(1), time.Minute))
	assert.Equal(t, time.Minute, clock.Lasting(clock.Scaled(30), 2*time.Second))
	assert.Equal(t, time.Minute, clock.Lasting(clock.Scaled(1), time.Minute))
}
