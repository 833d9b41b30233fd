package components

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFargateHasTheseSizes(t *testing.T) {
	for _, size := range []FargateSize{
		{256, 512}, {256, 1024}, {256, 2048}, {512, 1024}, {512, 4096}, {1024, 2048}, {1024, 8192}, {2048, 4096}, {2048, 16384},
		{4096, 8192}, {4096, 30720}, {8192, 16384}, {8192, 61440}, {16384, 32768}, {16384, 122880},
	} {
		assert.NoError(t, size.Validate())
	}
}

func TestFargateHasNoOtherSizesAndTheErrorSaysWhich(t *testing.T) {
	for _, c := range []struct {
		size FargateSize
		says string
	}{
		{FargateSize{0, 512}, "it is one of 256, 512, 1024, 2048, 4096, 8192, 16384"},
		{FargateSize{128, 512}, "it is one of 256"},
		{FargateSize{256, 1536}, "with 256 it is 512, 1024 or 2048 MiB"},
		{FargateSize{512, 512}, "with 512 it is 1024 to 4096 MiB in steps of 1024"},
		{FargateSize{1024, 9216}, "with 1024 it is 2048 to 8192 MiB in steps of 1024"},
		{FargateSize{8192, 17408}, "with 8192 it is 16384 to 61440 MiB in steps of 4096"},
		{FargateSize{16384, 36864}, "with 16384 it is 32768 to 122880 MiB in steps of 8192"},
	} {
		assert.ErrorContains(t, c.size.Validate(), c.says)
	}
}
