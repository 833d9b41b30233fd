package ecr_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// scanned asks for the findings of the image that has the tag v1.
func scanned(t *testing.T, s *ecr.Service) (*sdk.DescribeImageScanFindingsOutput, error) {
	t.Helper()
	return s.DescribeImageScanFindings(t.Context(), &sdk.DescribeImageScanFindingsInput{
		RepositoryName: aws.String("shop"), ImageId: &types.ImageIdentifier{ImageTag: aws.String("v1")},
	})
}

func TestAScanFindsWhatATestHasPlantedAndOtherwiseNothing(t *testing.T) {
	notes := journal.New(clockwork.NewFakeClock())
	s, err := ecr.New(ecr.Options{Region: "eu-central-1", Account: "123456789012", Clock: clockwork.NewFakeClock(), Journal: notes, Folder: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	w := world{Service: s, t: t}
	declared := repository("shop", "IMMUTABLE", false)
	declared.Outputs["imageScanningConfiguration"] = map[string]any{"scanOnPush": true}
	w.declare(declared)
	image := newImage(t)
	require.NoError(t, w.push("shop:v1", image))

	found, err := scanned(t, s)
	require.NoError(t, err)
	assert.Equal(t, types.ScanStatusComplete, found.ImageScanStatus.Status)
	assert.Equal(t, digestOf(t, image), *found.ImageId.ImageDigest)
	assert.Empty(t, found.ImageScanFindings.Findings)
	said := notes.Since(0)
	require.Len(t, said, 1)
	assert.Contains(t, said[0].Text, "no CVE is known, not because there is none")

	planted := []types.ImageScanFinding{
		{Name: aws.String("CVE-1"), Severity: types.FindingSeverityHigh}, {Name: aws.String("CVE-2"), Severity: types.FindingSeverityHigh},
		{Name: aws.String("CVE-3"), Severity: types.FindingSeverityLow},
	}
	require.NoError(t, s.Vulnerable("shop", planted...))
	found, err = scanned(t, s)
	require.NoError(t, err)
	assert.Equal(t, planted, found.ImageScanFindings.Findings)
	assert.Equal(t, map[string]int32{"HIGH": 2, "LOW": 1}, found.ImageScanFindings.FindingSeverityCounts)
	assert.Error(t, s.Vulnerable("other"), "there is no such repository")
}

func TestNobodyScansWhereTheRepositoryDoesNotAskForIt(t *testing.T) {
	w := newWorld(t, t.TempDir())
	w.declare(repository("shop", "IMMUTABLE", false))
	_, err := scanned(t, w.Service)
	var noImage *types.ImageNotFoundException
	require.ErrorAs(t, err, &noImage)
	require.NoError(t, w.push("shop:v1", newImage(t)))
	_, err = scanned(t, w.Service)
	var noScan *types.ScanNotFoundException
	require.ErrorAs(t, err, &noScan)
}
