package moto_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
	"github.com/penguinshop/delivery/tests/need"
)

func TestAStartedServerAnswersAndEndsWithItsTest(t *testing.T) {
	t.Setenv(moto.URL, "")
	var endpoint string
	t.Run("while the test runs", func(t *testing.T) {
		endpoint = moto.Endpoint(t)
		answer, err := http.Get(endpoint + "/moto-api/data.json")
		require.NoError(t, err)
		answer.Body.Close()
		assert.Equal(t, http.StatusOK, answer.StatusCode)
	})
	if endpoint == "" {
		need.Missing(t, "what its subtest says")
	}
	_, err := http.Get(endpoint + "/moto-api/data.json")
	assert.Error(t, err, "the server still listens after its test")
}

func TestANamedServerIsWipedAndUsed(t *testing.T) {
	var asked string
	named := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.Method + " " + r.URL.Path }))
	defer named.Close()
	t.Setenv(moto.URL, named.URL+"/")
	assert.Equal(t, named.URL, moto.Endpoint(t))
	assert.Equal(t, "POST /moto-api/reset", asked)
}
