/** A certificate authority for a test: certificates right and wrong, as PEM files in a folder. */
import "reflect-metadata"; // which the next one needs
import { webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

export interface Authority {
  /** The file of its own certificate. */
  file: string;
  /** Writes a certificate and its key, and returns where; `names` are DNS names or addresses. */
  issue(name: string, who: { names?: string[]; expired?: boolean }): Promise<{ cert: string; key: string }>;
  /** Writes the list of the revoked ones. */
  revoke(name: string, certs: string[]): Promise<string>;
}

export async function createAuthority(folder: string, name: string): Promise<Authority> {
  const write = (file: string, text: string) => {
    writeFileSync(join(folder, file), text, { mode: 0o600 });
    return join(folder, file);
  };
  const makeKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const from = new Date(Date.now() - 10 * DAY_MS);
  const own = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: `CN=${name}`,
    notBefore: from,
    notAfter: new Date(Date.now() + 10 * DAY_MS),
    keys: own,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  const serials = new Map<string, string>();
  return {
    file: write(`${name}.pem`, certificate.toString("pem")),
    async issue(subject, { names = [], expired = false }) {
      const keys = await makeKeys();
      const alternatives = names.map((each) => ({
        type: /^[\d.:]+$/.test(each) ? ("ip" as const) : ("dns" as const),
        value: each,
      }));
      const issued = await X509CertificateGenerator.create({
        serialNumber: (serials.size + 2).toString(16).padStart(2, "0"),
        subject: `CN=${subject}`,
        issuer: certificate.subject,
        notBefore: from,
        notAfter: new Date(Date.now() + (expired ? -DAY_MS : DAY_MS)),
        publicKey: keys.publicKey,
        signingKey: own.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: alternatives.length > 0 ? [new SubjectAlternativeNameExtension(alternatives)] : [],
      });
      const cert = write(`${name}-${subject}.crt`, issued.toString("pem"));
      serials.set(cert, issued.serialNumber);
      const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
      return { cert, key: write(`${name}-${subject}.key`, PemConverter.encode(der, "PRIVATE KEY")) };
    },
    async revoke(file, certs) {
      const list = await X509CrlGenerator.create({
        issuer: certificate.subject,
        thisUpdate: from,
        nextUpdate: new Date(Date.now() + DAY_MS),
        entries: certs.map((cert) => ({ serialNumber: serials.get(cert) as string, revocationDate: from })),
        signingKey: own.privateKey,
        signingAlgorithm: ALGORITHM,
      });
      return write(`${file}.crl`, PemConverter.encode(list.rawData, "X509 CRL"));
    },
  };
}
