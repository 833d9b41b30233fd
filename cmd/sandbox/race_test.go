//go:build race

package main

// slowdown is what the race detector costs at most (Go's documentation: up to twenty times).
const slowdown = 20
