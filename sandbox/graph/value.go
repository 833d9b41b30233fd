package graph

import (
	"fmt"
	"sort"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
)

// plainMap reads Pulumi's properties as plain JSON values and returns the paths of those that are secret.
func plainMap(properties resource.PropertyMap) (map[string]any, []string) {
	var secrets []string
	plain := plainObject(properties, "", &secrets)
	sort.Strings(secrets)
	return plain, secrets
}

func plainObject(properties resource.PropertyMap, path string, secrets *[]string) map[string]any {
	object := make(map[string]any, len(properties))
	for key, value := range properties {
		object[string(key)] = plainValue(value, join(path, string(key)), secrets)
	}
	return object
}

func plainValue(value resource.PropertyValue, path string, secrets *[]string) any {
	switch {
	case value.IsSecret():
		*secrets = append(*secrets, path)
		var inner []string // a secret inside a secret is covered by the outer one
		return plainValue(value.SecretValue().Element, path, &inner)
	case value.IsOutput():
		output := value.OutputValue()
		if output.Secret {
			*secrets = append(*secrets, path)
			secrets = new([]string)
		}
		if !output.Known {
			return Unknown
		}
		return plainValue(output.Element, path, secrets)
	case value.IsComputed():
		return Unknown
	case value.IsObject():
		return plainObject(value.ObjectValue(), path, secrets)
	case value.IsArray():
		array := make([]any, 0, len(value.ArrayValue()))
		for i, element := range value.ArrayValue() {
			array = append(array, plainValue(element, fmt.Sprintf("%s[%d]", path, i), secrets))
		}
		return array
	case value.IsAsset():
		return map[string]any{"asset": plainAsset(value.AssetValue())}
	case value.IsArchive():
		return map[string]any{"archive": plainArchive(value.ArchiveValue())}
	case value.IsResourceReference():
		reference := value.ResourceReferenceValue()
		if id, ok := reference.IDString(); ok && id != "" {
			return id
		}
		return string(reference.URN)
	case value.IsNull():
		return nil
	default:
		return value.V
	}
}

// plainAsset names an asset by its place and by the hash of its content, where that could be read.
func plainAsset(a *asset.Asset) map[string]any {
	plain := map[string]any{}
	for key, text := range map[string]string{"path": a.Path, "uri": a.URI, "text": a.Text, "hash": a.Hash} {
		if text != "" {
			plain[key] = text
		}
	}
	return plain
}

func plainArchive(a *archive.Archive) map[string]any {
	plain := map[string]any{}
	for key, text := range map[string]string{"path": a.Path, "uri": a.URI, "hash": a.Hash} {
		if text != "" {
			plain[key] = text
		}
	}
	for name, member := range a.Assets {
		switch member := member.(type) {
		case *asset.Asset:
			plain[name] = map[string]any{"asset": plainAsset(member)}
		case *archive.Archive:
			plain[name] = map[string]any{"archive": plainArchive(member)}
		}
	}
	return plain
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// mask copies a plain value and replaces what stands at a hidden path.
func mask(value any, path string, hidden map[string]bool) any {
	if hidden[path] {
		return Secret
	}
	switch value := value.(type) {
	case map[string]any:
		shown := make(map[string]any, len(value))
		for key, element := range value {
			shown[key] = mask(element, join(path, key), hidden)
		}
		return shown
	case []any:
		shown := make([]any, len(value))
		for i, element := range value {
			shown[i] = mask(element, fmt.Sprintf("%s[%d]", path, i), hidden)
		}
		return shown
	default:
		return value
	}
}
