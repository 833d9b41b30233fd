//go:build race

package controller_test

// usualHistories are fewer where the race detector makes each of them ten times as slow.
const usualHistories = 10_000
