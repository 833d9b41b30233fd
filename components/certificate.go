package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// certificate declares a certificate for the domain, proves to AWS by a DNS record that the domain is ours, and returns the
// certificate's ARN when AWS has seen the proof.
func (c *BlueGreenAlb) certificate(ctx *pulumi.Context, name string, args *BlueGreenAlbArgs) (pulumi.StringInput, error) {
	certificate, err := acm.NewCertificate(ctx, name+"-certificate", &acm.CertificateArgs{
		DomainName: pulumi.String(args.Domain), ValidationMethod: pulumi.String("DNS"),
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	proof := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, name+"-proof", &route53.RecordArgs{
		ZoneId:  args.HostedZoneID,
		Name:    proof.ResourceRecordName().Elem(),
		Type:    proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(300),
		// A certificate of the same domain elsewhere in the account asks for the same record.
		AllowOverwrite: pulumi.Bool(true),
	}, pulumi.Parent(certificate))
	if err != nil {
		return nil, err
	}
	valid, err := acm.NewCertificateValidation(ctx, name+"-certificate", &acm.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, pulumi.Parent(certificate))
	if err != nil {
		return nil, err
	}
	return valid.CertificateArn, nil
}

// alias leads the domain to the load balancer.
func (c *BlueGreenAlb) alias(ctx *pulumi.Context, name string, args *BlueGreenAlbArgs) error {
	_, err := route53.NewRecord(ctx, name+"-domain", &route53.RecordArgs{
		ZoneId: args.HostedZoneID, Name: pulumi.String(args.Domain), Type: pulumi.String("A"),
		Aliases: route53.RecordAliasArray{&route53.RecordAliasArgs{
			Name: c.DNSName, ZoneId: c.ZoneID, EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, pulumi.Parent(c))
	return err
}
