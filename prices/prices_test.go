package prices_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/prices"
)

func TestEveryPriceNamesItsPage(t *testing.T) {
	table := prices.Read()
	require.NotEmpty(t, table.Prices)
	for name, price := range table.Prices {
		assert.Regexp(t, `^https://aws\.amazon\.com/.+/pricing/$`, price.Page, name)
		assert.Positive(t, price.USD, name)
	}
	assert.Regexp(t, `^\d{4}-\d{2}$`, table.AsOf)
}

func TestATaskIsPricedByItsSizeAndProcessor(t *testing.T) {
	table := prices.Read()
	want := 0.5*table.USD("fargateArmVCPUHour")*730 + table.USD("fargateArmGBHour")*730
	assert.InDelta(t, want, table.FargateMonth(0.5, 1, true), 1e-9)
	assert.Greater(t, table.FargateMonth(0.5, 1, false), table.FargateMonth(0.5, 1, true))
}
