package ecr

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// Vulnerable makes every scan of the named repository's images, those that are pushed later too, find the given findings. Without
// it a scan finds nothing: the sandbox looks into no image and knows no CVE.
func (s *Service) Vulnerable(name string, findings ...types.ImageScanFinding) error {
	return s.change(name, func(r *repository) { r.findings = slices.Clone(findings) })
}

// DescribeImageScanFindings tells what the scan of an image has found, all of it at once. An image is scanned when it is
// pushed, where its repository is declared so, and the scan is over at once.
func (s *Service) DescribeImageScanFindings(
	_ context.Context, in *ecr.DescribeImageScanFindingsInput, _ ...func(*ecr.Options),
) (*ecr.DescribeImageScanFindingsOutput, error) {
	if refusal := fidelity.Refusal(in, "RepositoryName", "RegistryId", "ImageId", "MaxResults"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if in.ImageId == nil {
		return nil, invalid("imageId is missing: name a digest or a tag")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	i := r.find(*in.ImageId)
	if i == nil {
		return nil, s.noImage(r, *in.ImageId)
	}
	if !r.scanOnPush {
		return nil, &types.ScanNotFoundException{Message: new(fmt.Sprintf(
			"Image scan does not exist for the image with '%s' in the repository with name '%s' in the registry with id '%s'",
			cmp.Or(aws.ToString(in.ImageId.ImageDigest), aws.ToString(in.ImageId.ImageTag)), r.name, s.account))}
	}
	if len(r.findings) == 0 && s.journal != nil {
		s.journal.Add(journal.Entry{Service: "ecr", Kind: "note", Text: fmt.Sprintf(
			"No scanner looks into images here: that of %s finds nothing because no CVE is known, not because there is none", i.digest)})
	}
	found := &types.ImageScanFindings{
		Findings: slices.Clone(r.findings), FindingSeverityCounts: map[string]int32{},
		ImageScanCompletedAt: &i.pushed, VulnerabilitySourceUpdatedAt: &i.pushed,
	}
	for _, f := range r.findings {
		found.FindingSeverityCounts[string(f.Severity)]++
	}
	return &ecr.DescribeImageScanFindingsOutput{
		RegistryId: &s.account, RepositoryName: &r.name,
		ImageId:           &types.ImageIdentifier{ImageDigest: &i.digest, ImageTag: in.ImageId.ImageTag},
		ImageScanFindings: found,
		ImageScanStatus:   &types.ImageScanStatus{Status: types.ScanStatusComplete, Description: new("The scan was completed successfully.")},
	}, nil
}
