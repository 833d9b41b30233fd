//go:build !race

package controller_test

const usualHistories = 200_000
