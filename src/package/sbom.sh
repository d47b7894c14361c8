#!/bin/sh
# SPDX-License-Identifier: MIT
# The bill of materials of what is built here, as SPDX 2.3 in JSON: this version with a checksum for each
# source, and the libraries that it links in the versions found here. `make install` installs it.
# sbom.sh VERSION; SOURCE_DATE_EPOCH is its date.
set -eu

cd "$(dirname "$0")/../.."
version=$1
LC_ALL=C
export LC_ALL
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# pkg-config's name, the name, the license.
libraries='libcap-ng libcap-ng LGPL-2.1-or-later
libseccomp libseccomp LGPL-2.1-only
yaml-0.1 libyaml MIT
libsodium libsodium ISC
jansson jansson MIT
expat expat MIT
zlib zlib Zlib
libzstd zstd BSD-3-Clause
libdw elfutils LGPL-3.0-or-later OR GPL-2.0-or-later
libedit libedit BSD-3-Clause'

files=$(mktemp)
trap 'rm -f "$files"' EXIT
find Makefile LICENSE include policy src -type f | sort | xargs sha1sum | sed 's/  / /' >"$files"
# SPDX 2.3, 7.9: the SHA1 of all SHA1 in order.
code=$(cut -d ' ' -f 1 "$files" | sort | tr -d '\n' | sha1sum | cut -d ' ' -f 1)

cat <<JSON
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "miguard-$version",
  "documentNamespace": "https://spdx.org/spdxdocs/miguard-$version-$code",
  "creationInfo": {"created": "$created", "creators": ["Tool: miguard-$version"]},
  "packages": [
    {
      "SPDXID": "SPDXRef-miguard",
      "name": "miguard",
      "versionInfo": "$version",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": true,
      "packageVerificationCode": {"packageVerificationCodeValue": "$code"},
      "licenseConcluded": "MIT",
      "licenseDeclared": "MIT",
      "licenseInfoFromFiles": ["MIT"],
      "copyrightText": "$(sed -n 's/^Copyright/Copyright/p' LICENSE)"
    }
JSON
echo "$libraries" | while read -r package name license; do
    found=$(${PKG_CONFIG:-pkg-config} --modversion "$package" 2>/dev/null) || found=NOASSERTION
    cat <<JSON
    ,{
      "SPDXID": "SPDXRef-$name",
      "name": "$name",
      "versionInfo": "$found",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseConcluded": "$license",
      "licenseDeclared": "$license",
      "copyrightText": "NOASSERTION",
      "externalRefs": [{
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": "pkg:generic/$name@$found"
      }]
    }
JSON
done
echo '  ],'
echo '  "files": ['
number=0 comma=' '
while read -r sum file; do
    number=$((number + 1))
    echo "    $comma{\"SPDXID\": \"SPDXRef-file-$number\", \"fileName\": \"./$file\", \"checksums\":" \
        "[{\"algorithm\": \"SHA1\", \"checksumValue\": \"$sum\"}], \"licenseConcluded\": \"MIT\"," \
        '"licenseInfoInFiles": ["MIT"], "copyrightText": "NOASSERTION"}'
    comma=,
done <"$files"
echo '  ],'
echo '  "relationships": ['
echo '    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-miguard"}'
# The command loads elfutils' library where it is, and does without it.
echo "$libraries" | while read -r package name license; do
    [ "$name" != elfutils ] || {
        echo '    ,{"spdxElementId": "SPDXRef-elfutils", "relationshipType": "OPTIONAL_DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-miguard"}'
        continue
    }
    echo "    ,{\"spdxElementId\": \"SPDXRef-miguard\", \"relationshipType\": \"DEPENDS_ON\", \"relatedSpdxElement\": \"SPDXRef-$name\"}"
done
seq "$number" 2>/dev/null | sed 's/.*/    ,{"spdxElementId": "SPDXRef-miguard", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-file-&"}/'
echo '  ]'
echo '}'
