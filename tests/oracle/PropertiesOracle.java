import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
/** Writes what java.util.Properties makes of many texts: hex of the bytes, then hex of UTF-8 of each key=value sorted, or "error". */
public class PropertiesOracle {
  static final Random R = new Random(20);
  static final String[] PIECES = {"a","b","key","=",":"," ","\t","\f","\n","\r","\r\n","\\","\\\\","\\\n","\\\r\n","\\\r","#","!","\\u0041","\\u00e4","\\ud83d\\ude00","\\u12","\\uzzzz","\\t","\\n","\\r","\\f","\\:","\\=","\\ ","\\#","\\x","v","0","\u00e4","\u00ff"};
  static String hex(byte[] b){ StringBuilder s=new StringBuilder(); for(byte x:b) s.append(String.format("%02x",x)); return s.toString(); }
  static void row(String text) throws Exception {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    StringBuilder out = new StringBuilder(hex(bytes));
    try {
      Properties p = new Properties();
      p.load(new ByteArrayInputStream(bytes));
      for (String k : new TreeSet<>(p.stringPropertyNames()))
        out.append(' ').append(hex(k.getBytes(StandardCharsets.UTF_8))).append('=').append(hex(p.getProperty(k).getBytes(StandardCharsets.UTF_8)));
    } catch (IllegalArgumentException e) { out.append(" error"); }
    System.out.println(out);
  }
  public static void main(String[] a) throws Exception {
    String[] fixed = {"", "a=b", "a:b", "a b", "a", "a=", "=b", ":b", " = b", "a = b ", "a\t:\tb", "a==b", "a=:b", "a := b", "a b=c", "a\\ b=c", "a\\=b=c", "a\\:b:c", "a\\\\=b", "a\\\\\\=b=c",
      "#c\na=b", "!c\na=b", " #c\na=b", "#c\\\na=b", "a=b\\\n  c", "a=b\\\\\nc", "a=b\\\\\\\n c", "a=b\\", "a=b\\\\", "\\", "\\\n", "\\\n#x\na=b", "\\\n\\\n a=b", "a=b\\\n\nc=d", "a=b\\\n#c", "a=b\\\n  \nc=d", "a\\\nb=c", "a\\\n  =  c",
      "a=b\rc=d", "a=b\r\nc=d", "a=b\n\rc=d", "a=b\\\r\n c", "a=b\\\r c", "a=b\\\n\r c", "a=1\na=2", "a=\\u0041", "a=\\u004", "a=\\u00g1", "a=\\U0041", "\\u0061=b", "a=\\ud83d\\ude00", "a=\\t\\n\\r\\f\\q\\\"\\'", "a\u00e4=\u00df", "a=b#c", "a=b!c", "   \n\t\n\f\na=b", "a=\\ b", "a=  \\ b", "\fa\f=\fb", "a=b\u0000c", "a\\u003db=c", "a=\\\\u0041", "a=\\\\\\u0041","a=\\\n","a=\\\n   ","a\\","x=1\r\n\\","x=1\r\n\\\n"};
    for (String s : fixed) row(s);
    for (int i = 0; i < 900; i++) { StringBuilder s = new StringBuilder(); int n = 1 + R.nextInt(14); for (int j=0;j<n;j++) s.append(PIECES[R.nextInt(PIECES.length)]); row(s.toString()); }
  }
}
