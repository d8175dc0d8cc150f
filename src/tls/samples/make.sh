#!/bin/sh
# Makes the samples of src/tls/tests.rs and src/tls/fuzz.rs: keys and certificates of nobody, for a
# hundred years. They are kept so that the tests need no JDK; run this to make others.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
days=36500
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

openssl req -x509 $curve -keyout "$work/ca.key" -out ca.pem -subj "/CN=sample authority" -days $days
openssl req $curve -keyout "$work/own.key" -out "$work/own.csr" -subj "/CN=sample"
echo "basicConstraints=CA:FALSE
subjectAltName=DNS:localhost,DNS:sample.example" > "$work/own.ext"
openssl x509 -req -in "$work/own.csr" -CA ca.pem -CAkey "$work/ca.key" -CAserial "$work/ca.srl" -CAcreateserial \
    -out own.crt.pem -days $days -extfile "$work/own.ext"

cat "$work/own.key" own.crt.pem ca.pem > own.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -in "$work/own.key" -passout pass:keypass > "$work/aes.key"
cat "$work/aes.key" own.crt.pem > own.aes.pem
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in "$work/own.key" -passout pass:keypass > "$work/des.key"
cat "$work/des.key" own.crt.pem > own.3des.pem

openssl pkcs12 -export -inkey "$work/own.key" -in own.crt.pem -certfile ca.pem -name own \
    -out own.openssl.p12 -passout pass:changeit
openssl pkcs12 -export -nokeys -in ca.pem -out ca.unmarked.p12 -passout pass:changeit
import() {
    keytool "$@" -importkeystore -noprompt -srckeystore own.openssl.p12 -srcstoretype PKCS12 \
        -srcstorepass changeit -deststorepass changeit
}
rm -f own.keytool.p12 own.legacy.p12 own.jks ca.p12 ca.jks
import -destkeystore own.keytool.p12 -deststoretype PKCS12
import -J-Dkeystore.pkcs12.legacy -destkeystore own.legacy.p12 -deststoretype PKCS12
import -destkeystore own.jks -deststoretype JKS -destkeypass keypass -srcalias own -srckeypass changeit
for kind in PKCS12:p12 JKS:jks; do
    keytool -importcert -noprompt -alias authority -file ca.pem -storepass changeit \
        -storetype "${kind%:*}" -keystore "ca.${kind#*:}"
done
