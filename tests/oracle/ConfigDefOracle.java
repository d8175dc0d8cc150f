import org.apache.kafka.common.config.*;
import org.apache.kafka.common.config.ConfigDef.*;
import java.util.*;
public class ConfigDefOracle {
  static String esc(Object o){ if(o==null) return "<null>"; String s=o.toString(); StringBuilder b=new StringBuilder(); for(char c: s.toCharArray()){ if(c=='\t') b.append("\\t"); else if(c=='\n') b.append("\\n"); else if (c=='\\') b.append("\\\\"); else if(c<32||c>126) b.append(String.format("\\u%04x",(int)c)); else b.append(c);} return b.toString(); }
  static void t(String vn, Type ty, Validator v, String... vals){
    for(String s: vals){
      ConfigDef d=new ConfigDef().define("k",ty,ConfigDef.NO_DEFAULT_VALUE,v,Importance.LOW,"d");
      Map<String,String> m=new HashMap<>(); m.put("k",s);
      String p; try { Object o=d.parse(m).get("k"); p="ok\t"+esc(o==null?null:ConfigDef.convertToString(o,ty)); } catch(Throwable e){ p="err\t"+esc(e.getMessage()); }
      String w; try { ConfigValue cv=d.validate(m).get(0); w=esc(cv.value()==null?null:ConfigDef.convertToString(cv.value(),ty))+"\t"+esc(cv.errorMessages()); } catch(Throwable e){ w="THROW\t"+esc(e);} 
      System.out.println(vn+"\t"+ty+"\t"+esc(s)+"\t"+p+"\t"+w);
    }
  }
  public static void main(String[] a){
    t("none",Type.INT,null,"1"," 1 ","+5","-0","2147483648","1.0","","x","0x10","-2147483648","+","-","1_000",null);
    t("none",Type.SHORT,null,"32767","32768","-32768","-32769"," 7","");
    t("none",Type.LONG,null,"9223372036854775807","9223372036854775808","1L","-5");
    t("none",Type.DOUBLE,null,"1","1.5","1e3","NaN","-NaN","Infinity","-Infinity","inf","1d","1f","Infinityd","1e","e5",".","NaNd","+-1",".5","5.","","abc","nan","1e400"," 2 ","+.5e-1","1_0","0.1","100000000","12345678.9","0.001","0.0001","-0.0");
    t("none",Type.BOOLEAN,null,"true","TRUE"," False ","yes","","1");
    t("none",Type.STRING,null," a b ","","\t\u00a0x\u3000 \u0001",null);
    t("none",Type.PASSWORD,null," secret ","");
    t("none",Type.LIST,null,"a, b ,c","","a,,b",",","a,b,a","a\n, b"," , ",null);
    t("atLeast1",Type.INT,Range.atLeast(1),"0","1","x",null);
    t("between",Type.INT,Range.between(1,9),"0","10","5");
    t("between",Type.DOUBLE,Range.between(0.5,1.0),"0.4","1.1","0.5");
    t("atLeast1",Type.LONG,Range.atLeast(1),"0");
    t("in",Type.STRING,ValidString.in("a","b"),"A","a"," a","",null);
    t("inci",Type.STRING,CaseInsensitiveValidString.in("abc","Def"),"ABC","x","",null);
    t("nonempty",Type.STRING,new NonEmptyString(),""," ","x",null);
    t("nonemptynoctrl",Type.STRING,NonEmptyStringWithoutControlChars.nonEmptyStringWithoutControlChars(),"","a\u0001b","x\ty",null);
    t("listin",Type.LIST,ValidList.in("a","b"),"a","a,c","","a,a");
    t("listin_ne",Type.LIST,ValidList.in(false,"a","b"),"a","a,c","","a,a");
    t("anynd_tf",Type.LIST,ValidList.anyNonDuplicateValues(true,false),"","a,a","a,","a",null);
    t("anynd_ff",Type.LIST,ValidList.anyNonDuplicateValues(false,false),"","a,a","a,","a",null);
    t("anynd_ft",Type.LIST,ValidList.anyNonDuplicateValues(false,true),"","a,a","a,",",","a",null);
    t("class",Type.CLASS,null,"java.lang.String","",null);
  }
}
