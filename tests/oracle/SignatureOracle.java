import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Random;

import javax.crypto.KeyGenerator;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

import org.apache.kafka.connect.runtime.distributed.Crypto;
import org.apache.kafka.connect.runtime.rest.InternalRequestSignature;

/**
 * Prints what Apache's workers sign requests to each other with, for src/distributed/signature_4_3_1.tsv:
 * "mac", algorithm, key, body, signature; "key", algorithm, size in bits or "-", length in bytes or "!" and message.
 */
public class SignatureOracle {
    private static final String[] ALGORITHMS = {
        "HmacMD5", "HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512", "HmacSHA512/224",
        "HmacSHA512/256", "hmacsha256", "HmacSHA-256", "AES256",
    };

    public static void main(String[] arguments) throws Exception {
        Random random = new Random(43);
        for (String algorithm : ALGORITHMS) {
            for (int size : new int[] {1, 32, 64, 65, 129}) {
                for (String body : new String[] {"", "[]", "[{\"task.class\":\"x.Y\",\"\u00fc\":null}]", "a".repeat(130)}) {
                    mac(algorithm, size, body, random);
                }
            }
            key(algorithm, null);
            for (int bits : new int[] {-1, 0, 1, 7, 8, 9, 39, 40, 41, 128, 256, 4096, 65536}) {
                key(algorithm, bits);
            }
        }
    }

    private static void mac(String algorithm, int size, String body, Random random) throws Exception {
        byte[] key = new byte[size];
        random.nextBytes(key);
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        Mac mac;
        try {
            mac = Crypto.SYSTEM.mac(algorithm);
        } catch (Exception e) {
            print("mac", algorithm, base64(key), base64(bytes), "!" + e.getMessage());
            return;
        }
        SecretKey secret = new SecretKeySpec(key, algorithm);
        mac.init(secret);
        byte[] signature = mac.doFinal(bytes);
        if (!new InternalRequestSignature(bytes, mac, signature).isValid(secret)) {
            throw new AssertionError("Apache's workers refuse what they sign");
        }
        print("mac", algorithm, base64(key), base64(bytes), base64(signature));
    }

    private static void key(String algorithm, Integer bits) {
        String length;
        try {
            KeyGenerator generator = Crypto.SYSTEM.keyGenerator(algorithm);
            if (bits != null) {
                generator.init(bits);
            }
            length = String.valueOf(generator.generateKey().getEncoded().length);
        } catch (Exception e) {
            length = "!" + e.getMessage();
        }
        print("key", algorithm, bits == null ? "-" : bits.toString(), length);
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static void print(String... columns) {
        System.out.println(String.join("\t", columns));
    }
}
