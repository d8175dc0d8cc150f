import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.TimeZone;

/**
 * Asks Java's SimpleDateFormat about random patterns, points in time and texts and writes a fixture:
 * {@code pattern}, {@code format} or {@code parse}, then pattern, input and answer, separated by tabs.
 * Two-digit years begin on 25 November 1946.
 */
public class DateFormatOracle {
    private static final long CENTURY_START = -729129600000L;
    private static final String LETTERS = "GyMdkHmsSEDFwWahKzZYuXL";
    private static final String[] USUAL = {
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyy-MM-dd HH:mm:ss", "yyyyMMdd", "yyyyMMddHHmmssSSS",
        "dd/MM/yy", "MM/dd/yyyy hh:mm a", "EEE, d MMM yyyy HH:mm:ss Z", "yyyy-MM-dd'T'HH:mm:ssXXX", "YYYY-'W'ww-u",
        "EEE MMM dd HH:mm:ss z yyyy", "yyyy-DDD", "MMMM d, yyyy G", "yy.M.d H:m:s.S", "KK:mm a, z", "h 'o''clock' a",
        "HH:mm:ss.SSS", "yyyy MMM F EEEE", "yyyy MM W E", "yyyy w E", "Y w u", "ddMMyy", "yyMMddHHmmssZ", "kk:mm", "X", "XX"};
    private static final String[] TAILS = {
        "Anno Domini", "Before Christ", "noon", "midnight", "in the morning", "PST", "EDT", "CEST", "GMT+1:30", "GMT+01:30", "GMT-5",
        "GMT+5:3", "UTC", "utc", "gmt", "Z", "+0130", "-08:00", "+01", "+25:00", "+9", "Sept", "sep", "MAY", "thu", "Thurs",
        "12E2", "1E-1", "NaN", "\u221e", "-\u221e", "99999999999", "9999999999999999999", "\u0663\u0664", "-1", "+1", " 7", "\t7", "1,000", "1.5",
        "\ud83d\ude00", "Greenwich Mean Time", "Coordinated Universal Time", "JST"};
    private static final Random RANDOM = new Random(20261125);

    public static void main(String[] arguments) throws Exception {
        Locale.setDefault(Locale.US);
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            pattern(lines, illFormed());
        }
        for (int i = 0; i < 1200; i++) {
            format(lines, pattern(), instant());
        }
        for (int i = 0; i < 2500; i++) {
            String pattern = pattern();
            parse(lines, pattern, text(pattern));
        }
        Files.write(Path.of(arguments[0]), lines);
    }

    private static void pattern(List<String> lines, String pattern) {
        String answer;
        try {
            new SimpleDateFormat(pattern);
            answer = "fine";
        } catch (IllegalArgumentException e) {
            answer = e.getMessage();
        }
        lines.add("pattern\t" + escaped(pattern) + "\t\t" + escaped(answer));
    }

    private static SimpleDateFormat of(String pattern) {
        SimpleDateFormat format = new SimpleDateFormat(pattern);
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        format.set2DigitYearStart(new Date(CENTURY_START));
        return format;
    }

    private static void format(List<String> lines, String pattern, long instant) {
        lines.add("format\t" + escaped(pattern) + "\t" + instant + "\t" + escaped(of(pattern).format(new Date(instant))));
    }

    private static void parse(List<String> lines, String pattern, String text) {
        String answer;
        try {
            answer = String.valueOf(of(pattern).parse(text).getTime());
        } catch (ParseException e) {
            answer = "unparseable";
        }
        lines.add("parse\t" + escaped(pattern) + "\t" + escaped(text) + "\t" + answer);
    }

    private static String illFormed() {
        StringBuilder pattern = new StringBuilder();
        String characters = LETTERS + LETTERS + "''-: bTXXXXX\u00e9\u4e2d";
        for (int left = 1 + RANDOM.nextInt(10); left > 0; left--) {
            pattern.append(characters.charAt(RANDOM.nextInt(characters.length())));
        }
        return pattern.toString();
    }

    private static String pattern() {
        if (RANDOM.nextInt(3) == 0) {
            return USUAL[RANDOM.nextInt(USUAL.length)];
        }
        String[] between = {"-", "/", ":", " ", "", "", ".", "'T'", "''", "\u5e74", ", "};
        StringBuilder pattern = new StringBuilder();
        for (int left = 1 + RANDOM.nextInt(6); left > 0; left--) {
            char letter = LETTERS.charAt(RANDOM.nextInt(LETTERS.length()));
            int most = letter == 'X' ? 3 : 5;
            pattern.append(String.valueOf(letter).repeat(1 + RANDOM.nextInt(most)));
            pattern.append(between[RANDOM.nextInt(between.length)]);
        }
        try {
            new SimpleDateFormat(pattern.toString());
            return pattern.toString();
        } catch (IllegalArgumentException e) {
            return "yyyy";
        }
    }

    private static long instant() {
        switch (RANDOM.nextInt(6)) {
            case 0: return RANDOM.nextLong();
            case 1: return (long) (RANDOM.nextGaussian() * 1e14);
            case 2: return -12219292800000L + (long) (RANDOM.nextGaussian() * 3e10);
            case 3: return -62135769600000L + (long) (RANDOM.nextGaussian() * 1e11);
            case 4: return RANDOM.nextInt(40000) * 86400000L;
            default: return (long) (RANDOM.nextDouble() * 2e12);
        }
    }

    private static String text(String pattern) {
        SimpleDateFormat format = of(pattern);
        if (RANDOM.nextInt(4) == 0) {
            format.setTimeZone(TimeZone.getTimeZone(new String[] {"GMT+05:30", "America/New_York", "Europe/Paris"}[RANDOM.nextInt(3)]));
        }
        String text = format.format(new Date(instant()));
        if (RANDOM.nextInt(3) > 0) {
            return text;
        }
        StringBuilder changed = new StringBuilder(text);
        for (int left = 1 + RANDOM.nextInt(3); left > 0; left--) {
            int at = RANDOM.nextInt(changed.length() + 1);
            switch (RANDOM.nextInt(5)) {
                case 0: changed.insert(at, RANDOM.nextInt(10)); break;
                case 1: changed.insert(at, " -+:.E9\t".charAt(RANDOM.nextInt(8))); break;
                case 2: changed.delete(at, Math.min(changed.length(), at + 1 + RANDOM.nextInt(3))); break;
                case 3: changed.replace(at, changed.length(), TAILS[RANDOM.nextInt(TAILS.length)]); break;
                default: {
                    for (int i = 0; i < changed.length(); i++) {
                        if (Character.isDigit(changed.charAt(i)) && RANDOM.nextInt(3) == 0) {
                            changed.setCharAt(i, (char) ('0' + RANDOM.nextInt(10)));
                        }
                    }
                }
            }
        }
        return changed.toString();
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t");
    }
}
