import{B as e,L as t,b as n,g as r,n as i,o as a,r as o,t as s,w as c,y as l}from"./parts-BHK5Spwb.js";import{h as u,p as d}from"./symbols-D7Q9tB6H.js";import{t as f}from"./settings-q0QWY3Ac.js";var p=2e4,m=1e3,h=50,g=class extends Error{status;faults;constructor(e,t,n=[]){super(t),this.status=e,this.faults=n}};async function _(e,t,n,r,i){let a=AbortSignal.timeout(p),o=await fetch(`api/v1/${n}`,{method:t,headers:{Accept:`application/json`,...e===``?{}:{Authorization:`Bearer ${e}`},...r===void 0?{}:{"Content-Type":`application/json`}},body:r===void 0?null:JSON.stringify(r),signal:i?AbortSignal.any([i,a]):a}).catch(e=>{throw i?.aborted?e:new g(0,String(e))});if(!o.ok){let e=await o.json().catch(()=>null);throw new g(o.status,e?.detail??o.statusText,e?.faults??[])}return o.status===204?null:await o.json()}var v=(e,t=``)=>`subscriptions/${encodeURIComponent(e)}${t}`,ee=async e=>(await _(e,`GET`,`subscriptions?limit=${m}`)).subscriptions,te=(e,t)=>_(e,`GET`,v(t)),ne=(e,t,n)=>t===null?_(e,`POST`,`subscriptions`,n):_(e,`PUT`,v(t),n),re=(e,t)=>_(e,`DELETE`,v(t)),y=(e,t,n)=>_(e,`POST`,`subscriptions/preview`,t,n),b=async(e,t)=>(await _(e,`GET`,v(t,`/notifications?limit=${h}`))).notifications,x=(e,t)=>_(e,`POST`,v(t,`/test`)),S=(e,t,n)=>_(e,`POST`,v(t,`/drill`),n),ie=(e,t,n)=>_(e,`POST`,v(t,`/snooze`),n===null?{}:{until_ms:n}),ae=()=>_(``,`GET`,`places`),oe=async()=>(await _(``,`GET`,`alerts/webpush-key`)).key;function C(){return isSecureContext?`serviceWorker`in navigator&&`PushManager`in window&&`Notification`in window?Notification.permission===`denied`?`denied`:null:`unsupported`:`insecure`}async function se(){return(await T())?.endpoint??null}async function ce(){if(await Notification.requestPermission()!==`granted`)return null;let e=await oe();await navigator.serviceWorker.register(`sw.js`);let{pushManager:t}=await navigator.serviceWorker.ready,n={userVisibleOnly:!0,applicationServerKey:e};return{channel:`webpush`,subscription:(await t.subscribe(n).catch(async e=>{let r=await t.getSubscription();if(r===null)throw e;return await r.unsubscribe(),t.subscribe(n)})).toJSON()}}async function w(){await(await T())?.unsubscribe()}async function T(){return C()===`insecure`||C()===`unsupported`?null:await(await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription()??null}var le=[`first`,`material`,`every`],ue=[`metric`,`imperial`],E=[`circle`,`country`,`region`,`world`];function de(e,t,n,r){return{name:``,kind:`circle`,latitude:e?String(e.latitude):``,longitude:e?String(e.longitude):``,place:``,radius:``,country:``,region:``,within:``,intensity:`4`,minMagnitude:``,maxMagnitude:``,minDepth:``,maxDepth:``,exercise:!1,test:!1,channels:[],language:t,units:n===`mi`?`imperial`:`metric`,updates:`material`,aftershocks:!1,quiet:!1,quietStart:`22:00`,quietEnd:`07:00`,unlessIntensity:`6`,zone:r,base:null}}function D(e){let{id:t,subscriber:n,origin:r,created:i,changed:a,unconfirmed:o,confirmed:s,ended:c,webhook_secret:l,...u}=e,{where:d,how:f}=u,p=O(u)?{}:u.what??{},m=f.quiet_hours,h=u.modes??[`actual`];return{name:u.name??``,kind:d.kind,latitude:M(d.latitude),longitude:M(d.longitude),place:M(d.place),radius:M(d.radius_km),country:d.kind===`country`?M(d.name):``,region:d.kind===`region`?M(d.name):``,within:M(d.within_km),intensity:M(p.min_intensity),minMagnitude:M(p.min_magnitude),maxMagnitude:M(p.max_magnitude),minDepth:M(p.min_depth_km),maxDepth:M(p.max_depth_km),exercise:h.includes(`exercise`),test:h.includes(`test`),channels:f.channels.map(e=>({channel:e.channel,to:A(e),given:e})),language:f.language??`en`,units:f.units??`metric`,updates:f.updates??`material`,aftershocks:f.exclude_aftershocks===!0,quiet:m!==void 0,quietStart:m?.start??`22:00`,quietEnd:m?.end??`07:00`,unlessIntensity:M(m?.unless_intensity??6),zone:u.time_zone??`UTC`,base:u}}var O=e=>e?.what!==void 0&&(`any`in e.what||`all`in e.what);function k(e){let{base:t}=e,{quiet_hours:n,...r}=t?.how??{channels:[]},i=[`actual`,...e.exercise?[`exercise`]:[],...e.test?[`test`]:[]];return{...t,name:e.name.trim(),where:pe(e),what:O(t)?t?.what:me(e,t?.what??{}),modes:i,time_zone:e.zone.trim(),how:{...r,channels:e.channels.map(ge),language:e.language,units:e.units,updates:e.updates,exclude_aftershocks:e.aftershocks,...e.quiet?{quiet_hours:he(e,n)}:{}}}}function fe(e){let t=k(e),n={channel:`webhook`,url:``};return{...t,name:``,how:{channels:[n]}}}function pe(e){let t=e.within.trim()===``?{}:{within_km:N(e.within)};switch(e.kind){case`circle`:return{kind:`circle`,latitude:N(e.latitude),longitude:N(e.longitude),...e.radius.trim()===``?{}:{radius_km:N(e.radius)},...e.place.trim()===``?{}:{place:e.place.trim()}};case`country`:return{kind:`country`,name:e.country.trim(),...t};case`region`:return{kind:`region`,name:e.region.trim(),...t};case`world`:return{kind:`world`};default:return e.base?.where??{kind:e.kind}}}function me(e,t){let n={min_intensity:e.intensity,min_magnitude:e.minMagnitude,max_magnitude:e.maxMagnitude,min_depth_km:e.minDepth,max_depth_km:e.maxDepth},r={...t};for(let[e,t]of Object.entries(n))t.trim()===``?delete r[e]:r[e]=N(t);return`min_intensity`in r||delete r.deep,r}function he(e,t){let{quietStart:n,quietEnd:r,unlessIntensity:i}=e;return{...t,start:n,end:r,unless_intensity:Number(i)}}function ge({channel:e,to:t,mail:n,given:r}){return n===void 0?r!==null&&(e===`webpush`||A(r)===t)?r:{...r,channel:e,url:t.trim()}:{channel:e,url:_e(n)}}function _e({address:e,server:t,user:n,password:r}){let[i,a]=[e.trim(),n.includes(`@`)?n.trim():e.trim()].map(encodeURIComponent);return`mailtos://${n.trim()===``?``:`${encodeURIComponent(n.trim())}:${encodeURIComponent(r)}@`}${t.trim()}?to=${i}&from=${a}`}var ve=e=>e.mail!==void 0||/^mailtos?:/i.test(e.to);function A(e){return e.channel===`webpush`?j(e)??``:M(e.url??e.to)}function j(e){let t=e?.subscription;return typeof t?.endpoint==`string`?t.endpoint:null}var M=e=>e==null?``:String(e);function N(e){let t=e.trim().replace(/^(-?\d*),(\d+)$/,`$1.$2`),n=Number(t);return t!==``&&Number.isFinite(n)?n:e.trim()}function P(e){let[t,n]=[N(e.latitude),N(e.longitude)];return e.kind!==`circle`||typeof t!=`number`||typeof n!=`number`?null:Math.abs(t)<=90&&Math.abs(n)<=180?{latitude:t,longitude:n}:null}function F(e){let{kind:t,country:n,region:r,intensity:i}=e;return t===`circle`?P(e)!==null&&(I(e)!==null||i!==``||O(e.base)):(t!==`country`||n.trim()!==``)&&(t!==`region`||r.trim()!==``)}function I(e){let t=N(e.radius);return typeof t==`number`&&t>0?t:null}function L(e,t){let n=new Map;for(let{at:r,why:i}of e.length>0?e:[{at:``,why:t}]){let e=r===``?/^[a-z_]+(\.[a-z_]+)+/.exec(i)?.[0]??``:r,t=n.get(e);n.set(e,t===void 0?i:`${t}; ${i}`)}return n}var R=`quakestream-alerts-key`,ye=500,be=2e3,xe=2e4,Se=new Set([`queued`,`sending`]),Ce=class{app;access=`asks`;busy=!1;list=[];open=null;missing=!1;draft=null;faults=new Map;preview=null;unclear=null;told=[];said=null;choosing=!1;removing=!1;endpoint=null;places={countries:[],regions:[]};#e=sessionStorage.getItem(R)??``;#t=null;#n=0;#r=new AbortController;#i=0;constructor(e){this.app=e,this.#e!==``&&this.enter(this.#e),ae().then(t=>{this.places=t,e.invalidate()},()=>void 0),se().then(t=>{this.endpoint=t,e.invalidate()})}look(e){if(this.access===`open`&&e!==this.#t){if(this.#t=e,this.#c(),e===`new`){let{place:e,preferences:t}=this.app,n=Intl.DateTimeFormat().resolvedOptions().timeZone;this.edit(de(e,t.language,t.units,n))}else e!==null&&this.#o(e)}}async enter(e){this.#e=e,this.busy=!0;try{this.list=await ee(e),this.access=`open`,sessionStorage.setItem(R,e)}catch(e){this.#m(e)}this.busy=!1,this.app.invalidate()}leave(){sessionStorage.removeItem(R),this.#e=``,this.#t=null,this.#c(),this.list=[],this.access=`asks`,this.app.set({alert:null})}edit(e){this.draft={...this.draft,...e},this.app.outline(we(this.draft)),clearTimeout(this.#n),this.#n=setTimeout(()=>void this.#l(),ye),this.app.invalidate()}choose(e){this.choosing=e,this.app.choosing=e?e=>{this.choose(!1),this.#a(e)}:null,this.app.invalidate()}#a({latitude:e,longitude:t}){this.edit({kind:`circle`,latitude:e.toFixed(3),longitude:t.toFixed(3)})}async save(){if(!this.draft||this.busy)return!1;let e=this.open?.id??null,t=null;return await this.#f(`alerts.saved`,async()=>{t=await ne(this.#e,e,k(this.draft)),this.list=[t,...this.list.filter(e=>e.id!==t?.id)],this.#s(t),this.#t=t.id,this.app.set({alert:t.id},e===null),await this.#p()}),t!==null}async remove(){let e=this.open?.id;e!==void 0&&await this.#f(`alerts.removed`,async()=>{await re(this.#e,e),this.list=this.list.filter(t=>t.id!==e),await this.#p(),this.app.set({alert:null}),this.look(null)})}async snooze(e){let t=this.open?.id;t!==void 0&&await this.#f(e===null?`alerts.woken`:`alerts.snoozed`,async()=>{let n=e===null?null:Math.round(this.app.realNow()+e*36e5),r=await ie(this.#e,t,n);this.list=this.list.map(e=>e.id===t?r:e),this.open=r,this.draft&&={...this.draft,base:D(r).base}})}async test(){let e=this.open?.id;e!==void 0&&await this.#d(()=>x(this.#e,e),`alerts.test.sent`)}async drill(e){let t=this.open?.id;t!==void 0&&await this.#d(()=>S(this.#e,t,e),`alerts.drill.sent`)}async thisBrowser(e){await this.#f(`alerts.browser.added`,async()=>{let t=await ce().catch(e=>{throw e instanceof g?e:Error(l(`alerts.browser.failed`,{why:e instanceof Error?e.message:String(e)}))});if(t===null)throw Error(l(`alerts.browser.denied`));this.endpoint=j(t);let n=[...this.draft?.channels??[]];n.splice(e??n.length,e===null?0:1,{channel:`webpush`,to:``,given:t}),this.edit({channels:n})})}get hindrance(){return C()}async#o(e){try{let t=await te(this.#e,e);this.#t===e&&this.#s(t)}catch(e){this.missing=e instanceof g&&e.status===404,this.#m(e)}this.app.invalidate()}#s(e){this.open=e,this.draft=null,this.edit(D(e));let t=P(this.draft);t&&this.app.map?.fly(t),this.#u(e.id)}#c(){clearTimeout(this.#n),clearTimeout(this.#i),this.#r.abort(),this.choose(!1),this.open=null,this.draft=null,this.missing=!1,this.removing=!1,this.preview=null,this.unclear=null,this.told=[],this.faults=new Map,this.app.outline([])}async#l(){if(this.#r.abort(),!this.draft)return;if(!F(this.draft)){this.preview=null,this.unclear=new Map,this.app.invalidate();return}let e=new AbortController;this.#r=e;try{let t=await y(this.#e,fe(this.draft),e.signal);if(e.signal.aborted)return;this.preview=t,this.unclear=null}catch(t){if(e.signal.aborted)return;this.preview=null,this.unclear=t instanceof g?L(t.faults,t.message):null}this.app.invalidate()}async#u(e,t=0){clearTimeout(this.#i);try{let n=await b(this.#e,e);if(this.open?.id!==e)return;this.told=n,(Date.now()<t||n.some(e=>Se.has(e.state)))&&(this.#i=setTimeout(()=>void this.#u(e,t),be))}catch(e){this.#m(e)}this.app.invalidate()}async#d(e,t){await this.#f(t,async()=>{await e(),this.open&&await this.#u(this.open.id,Date.now()+xe)})}async#f(e,t){this.busy=!0,this.said=null,this.removing=!1,this.app.invalidate();try{await t(),this.faults=new Map,this.said={text:l(e),bad:!1}}catch(e){this.#m(e)}this.busy=!1,this.app.invalidate()}async#p(){let e=this.list.some(e=>e.how.channels.some(e=>j(e)===this.endpoint));this.endpoint===null||e||(await w(),this.endpoint=null)}#m(e){if(!(e instanceof g)){this.said={text:e instanceof Error?e.message:String(e),bad:!0};return}let{status:t,faults:n,message:r}=e;t===401?this.access=`wrong`:t===403?this.access=`closed`:t===404&&this.access!==`open`?this.access=`off`:this.access===`open`?this.missing||(this.faults=L(n,r),this.said={text:r,bad:!0}):this.access=`away`,(t===401||t===403)&&(sessionStorage.removeItem(R),this.#t=null)}};function we(e){let[t,n]=[P(e),I(e)];return t&&n&&n<19e3?u(t,n/d):[]}function z(n,r){let i=H(r.at),a=n.get(r.at);return e`<div class="field ${r.wide?`wide-field`:``}">
    <label for=${i}>${l(r.label)}</label>
    <input
      id=${i}
      type=${r.type??`text`}
      inputmode=${r.inputmode??t}
      list=${r.list??t}
      autocomplete=${r.autocomplete??`off`}
      .value=${r.value}
      aria-invalid=${a===void 0?t:`true`}
      aria-describedby=${U(i,r.hint,a)}
      @input=${e=>r.set(e.target.value)}
    />
    ${W(i,r.hint,a)}
  </div>`}function B(n,r,i){let a=H(r.at),o=n.get(r.at),s=i.some(({value:e})=>e===r.value)?i:[...i,{value:r.value,label:r.value}];return e`<div class="field ${r.wide?`wide-field`:``}">
    <label for=${a}>${l(r.label)}</label>
    <select
      id=${a}
      aria-invalid=${o===void 0?t:`true`}
      aria-describedby=${U(a,r.hint,o)}
      @change=${e=>r.set(e.target.value)}
    >
      ${s.map(({value:t,label:n})=>e`<option value=${t} ?selected=${t===r.value}>${n}</option>`)}
    </select>
    ${W(a,r.hint,o)}
  </div>`}function V(n,r){let i=[...n].filter(([e])=>e===r||e.startsWith(`${r}.`)).map(([,e])=>e);return i.length>0?e`<p class="fault">${i.join(`; `)}</p>`:t}var Te=()=>void requestAnimationFrame(()=>document.querySelector(`[aria-invalid="true"]`)?.focus()),H=e=>`f-${e.replace(/\W+/g,`-`)}`,U=(e,n,r)=>[n?`${e}-hint`:``,r===void 0?``:`${e}-fault`].join(` `).trim()||t;function W(n,r,i){return[r?e`<small id=${`${n}-hint`}>${l(r)}</small>`:t,i===void 0?t:e`<p class="fault" id=${`${n}-fault`}>${i}</p>`]}var Ee=[`I`,`II`,`III`,`IV`,`V`,`VI`,`VII`,`VIII`,`IX`,`X`],De=[2,3,4,5,6,7,8,9],Oe=[4,5,6,7,8,9,10];function ke(t,n,r){let i=async e=>{e.preventDefault(),await n.save()||Te()};return e`<form class="subscription" novalidate aria-label=${l(`alerts.form`)} @submit=${e=>void i(e)}>
    ${z(n.faults,{at:`name`,label:`alerts.name`,value:r.name,set:e=>n.edit({name:e}),wide:!0})}
    ${Ae(t,n,r)} ${Ne(n,r)} ${Pe(n,r)}
    <div class="decide">
      ${Re(t,n)}
      <div class="buttons">
        <button class="solid" id="save" ?disabled=${n.busy}>${l(n.open?`alerts.save`:`alerts.add`)}</button>
        <a class="button" href=${s(t,{alert:null})}>${l(`alerts.cancel`)}</a>
      </div>
    </div>
  </form>`}function Ae(r,a,s){let c=E.some(e=>e===s.kind)?E:[...E,s.kind],u=(e,t,n,r={})=>z(a.faults,{at:e,label:t,value:s[n],set:e=>a.edit({[n]:e}),...r}),d={inputmode:`decimal`},f=u(`where.within_km`,`alerts.within`,`within`,{...d,hint:`alerts.within.hint`});return e`<fieldset>
    <legend>${l(`alerts.where`)}</legend>
    ${i(l(`alerts.where`),c.map(e=>({value:e,label:n(`alerts.where.${e}`)??e})),s.kind,e=>a.edit({kind:e}))}
    ${s.kind===`circle`?e`<div class="buttons">
              <button type="button" id="choose" aria-pressed=${a.choosing} @click=${()=>a.choose(!a.choosing)}>${o(`place`)}${l(`alerts.choose`)}</button>
              ${a.choosing?e`<button type="button" @click=${()=>Me(r)}>${l(`alerts.middle`)}</button>`:t}
              ${r.place?e`<button type="button" @click=${()=>a.edit({latitude:String(r.place?.latitude),longitude:String(r.place?.longitude)})}>${o(`home`)}${l(`here`)}</button>`:t}
              ${P(s)?e`<button type="button" @click=${()=>r.map?.fly(P(s),5)}>${l(`detail.show`)}</button>`:t}
            </div>
            ${a.choosing?e`<p class="note" role="status">${l(`alerts.choosing`)}</p>`:t}
            <div class="fields">
              ${u(`where.latitude`,`latitude`,`latitude`,d)} ${u(`where.longitude`,`longitude`,`longitude`,d)}
              ${u(`where.place`,`alerts.place`,`place`,{hint:`alerts.place.hint`})}
              ${u(`where.radius_km`,`alerts.radius`,`radius`,{...d,hint:`alerts.radius.hint`})}
            </div>`:s.kind===`country`||s.kind===`region`?e`<div class="fields">
              ${u(`where.name`,`alerts.where.${s.kind}`,s.kind,{hint:`alerts.${s.kind}.hint`,list:`place-names`})} ${f}
            </div>
            <datalist id="place-names">${je(a,s.kind).map(([t,n])=>e`<option value=${t}>${n}</option>`)}</datalist>`:e`<p class="soft">${l(s.kind===`world`?`alerts.world.what`:`alerts.kept.where`)}</p>`}
    ${V(a.faults,`where.geometry`)}
  </fieldset>`}var je=({places:e},t)=>t===`country`?e.countries.map(({name:e,code:t})=>[e,t]):e.regions.map(e=>[e,``]);function Me(e){let t=e.map?.camera();t&&e.choose(t)}function Ne(t,n){let r=t.faults;if(O(n.base))return e`<fieldset>
      <legend>${l(`alerts.what`)}</legend>
      <p class="soft">${l(`alerts.kept.what`)}</p>
      <pre tabindex="0">${JSON.stringify(n.base?.what,null,1)}</pre>
    </fieldset>`;let i=(e,i,a)=>z(r,{at:`what.${e}`,label:i,value:n[a],set:e=>t.edit({[a]:e}),inputmode:`decimal`}),o=De.map(e=>({value:String(e),label:G(e)}));return e`<fieldset>
    <legend>${l(`alerts.what`)}</legend>
    ${B(r,{at:`what.min_intensity`,label:`alerts.intensity`,value:n.intensity,set:e=>t.edit({intensity:e}),hint:`alerts.intensity.hint`,wide:!0},[...o,{value:``,label:l(`alerts.intensity.any`)}])}
    <div class="fields">${i(`min_magnitude`,`filters.minmagnitude`,`minMagnitude`)} ${i(`max_magnitude`,`filters.maxmagnitude`,`maxMagnitude`)} ${i(`min_depth_km`,`filters.mindepth`,`minDepth`)} ${i(`max_depth_km`,`filters.maxdepth`,`maxDepth`)}</div>
    <p class="soft small">${l(`alerts.what.all`)}</p>
    ${V(new Map([...r].filter(([e])=>e===`what`)),`what`)}
    <div class="line">
      ${a(l(`alerts.exercise`),n.exercise,e=>t.edit({exercise:e}))}
      ${a(l(`alerts.test-mode`),n.test,e=>t.edit({test:e}))}
      ${a(l(`alerts.aftershocks`),n.aftershocks,e=>t.edit({aftershocks:e}))}
    </div>
  </fieldset>`}function G(e){let t=Ee[e-1]??String(e),r=n(`felt.${t}`);return`${t} – ${n(`mmi.${t}`)??``}${r?`: ${r}`:``}`}function Pe(n,r){let{faults:i}=n,s=(e,t)=>n.edit({channels:[...r.channels,{channel:e,to:``,given:null,...t?{mail:t}:{}}]}),u=r.channels.some(({given:e})=>n.endpoint!==null&&j(e)===n.endpoint),{hindrance:d}=n;return e`<fieldset>
      <legend>${l(`alerts.how`)}</legend>
      <ul class="channels">
        ${r.channels.map((e,t)=>Le(n,r,e,t))}
      </ul>
      ${r.channels.length===0?e`<p class="soft">${l(`alerts.channels.none`)}</p>`:t}
      ${i.has(`how.channels`)?e`<p class="fault">${i.get(`how.channels`)}</p>`:t}
      <div class="buttons" role="group" aria-label=${l(`alerts.channel.add`)}>
        ${u?t:e`<button type="button" id="this-browser" ?disabled=${d!==null||n.busy} aria-describedby=${d?`hindrance`:t} @click=${()=>void n.thisBrowser(null)}>${o(`plus`)}${l(`alerts.channel.webpush`)}</button>`}
        <button type="button" @click=${()=>s(`apprise`,{address:``,server:``,user:``,password:``})}>${o(`plus`)}${l(`alerts.channel.email`)}</button>
        <button type="button" @click=${()=>s(`webhook`)}>${o(`plus`)}${l(`alerts.channel.webhook`)}</button>
        <button type="button" @click=${()=>s(`apprise`)}>${o(`plus`)}${l(`alerts.channel.apprise`)}</button>
      </div>
      ${d?e`<p class="note" id="hindrance">${l(`alerts.browser.${d}`)}</p>`:t}
    </fieldset>
    <fieldset>
      <legend>${l(`alerts.wording`)}</legend>
      <div class="fields">
        ${B(i,{at:`how.language`,label:`settings.language`,value:r.language,set:e=>n.edit({language:e})},c.map(e=>({value:e,label:f[e]})))}
        ${B(i,{at:`how.units`,label:`settings.units`,value:r.units,set:e=>n.edit({units:e})},ue.map(e=>({value:e,label:l(`alerts.units.${e}`)})))}
        ${B(i,{at:`how.updates`,label:`alerts.updates`,value:r.updates,set:e=>n.edit({updates:e}),wide:!0},le.map(e=>({value:e,label:l(`alerts.updates.${e}`)})))}
      </div>
      <p class="soft small">${l(`alerts.cancellation`)}</p>
      ${a(l(`alerts.quiet`),r.quiet,e=>n.edit({quiet:e}))}
      ${r.quiet?Ie(n,r):t}
      ${z(i,{at:`time_zone`,label:`alerts.zone`,value:r.zone,set:e=>n.edit({zone:e}),list:`time-zones`,hint:`alerts.zone.hint`,wide:!0})}
      <datalist id="time-zones">${Fe().map(t=>e`<option value=${t}></option>`)}</datalist>
    </fieldset>`}var K=null,Fe=()=>(K??=Intl.supportedValuesOf(`timeZone`),K);function Ie(n,r){let i=(e,t,i)=>z(n.faults,{at:`how.quiet_hours.${e}`,label:t,type:`time`,value:r[i],set:e=>n.edit({[i]:e})});return e`<div class="fields">
      ${i(`start`,`alerts.quiet.start`,`quietStart`)} ${i(`end`,`alerts.quiet.end`,`quietEnd`)}
      ${B(n.faults,{at:`how.quiet_hours.unless_intensity`,label:`alerts.quiet.unless`,value:r.unlessIntensity,set:e=>n.edit({unlessIntensity:e}),wide:!0},Oe.map(e=>({value:String(e),label:G(e)})))}
    </div>
    ${n.faults.has(`how.quiet_hours`)?e`<p class="fault">${n.faults.get(`how.quiet_hours`)}</p>`:t}`}function Le(r,i,a,s){let{faults:c}=r,u=`how.channels[${s}]`,d=e=>r.edit({channels:i.channels.with(s,e)}),f=()=>r.edit({channels:i.channels.filter((e,t)=>t!==s)}),p=a.channel===`webpush`&&j(a.given)===r.endpoint,m=a.channel===`webpush`?p?`alerts.channel.webpush`:`alerts.channel.other-browser`:ve(a)?`alerts.channel.email`:`alerts.channel.${a.channel}`,h=n(m)??a.channel,g=a.to!==``&&(r.open?.unconfirmed.includes(a.to)??!1),_=(e,t,n={})=>z(c,{at:`${u}.${e}`,label:t,value:a.mail?.[e]??``,set:t=>d({...a,mail:{...a.mail,[e]:t}}),...n});return e`<li class="channel">
    <header>
      <b>${h}</b>
      ${g?e`<span class="tag status warn">${l(`alerts.unconfirmed`)}</span>`:t}
      ${a.to!==``&&r.open?.ended?.includes(a.to)?e`<span class="tag status warn">${l(`alerts.ended`)}</span>`:t}
      <button type="button" class="quiet" @click=${f} aria-label=${l(`alerts.channel.remove`,{channel:h})}>${o(`close`)}</button>
    </header>
    ${a.channel===`webpush`?p?e`<p class="soft small">${l(`alerts.browser.own`)}</p>`:e`<p class="soft small">${l(`alerts.browser.another`)} <button type="button" ?disabled=${r.hindrance!==null} @click=${()=>void r.thisBrowser(s)}>${l(`alerts.browser.instead`)}</button></p>`:a.mail?e`<div class="fields">
                ${_(`address`,`alerts.mail.address`,{type:`email`,autocomplete:`email`})} ${_(`server`,`alerts.mail.server`)}
                ${_(`user`,`alerts.mail.user`)} ${_(`password`,`alerts.mail.password`,{type:`password`,autocomplete:`new-password`})}
              </div>
              <p class="soft small">${l(`alerts.mail.confirm`)}</p>`:a.channel===`console`?t:z(c,{at:`${u}.url`,label:`alerts.url`,value:a.to,set:e=>d({...a,to:e}),type:`url`,hint:a.channel===`webhook`?`alerts.webhook.hint`:`alerts.apprise.hint`,wide:!0})}
    ${V(c,u)}
    ${a.channel===`webhook`&&a.given&&r.open?.webhook_secret?e`<details><summary>${l(`alerts.secret`)}</summary><code>${r.open.webhook_secret}</code></details>`:t}
  </li>`}function Re(n,i){let{preview:a,unclear:o}=i,{format:c}=n;if(a===null){let[t]=o??[],n=t?`${t[0]}${t[0]===``?``:`: `}${t[1]}`:``;return e`<p class="preview soft" role="status" id="preview">${l(o?`alerts.preview.unclear`:`alerts.preview.asking`)} <small>${n}</small></p>`}let u=e=>c.magnitude(e);return e`<div class="preview" id="preview">
    <p role="status"><b>${r(`alerts.preview`,a.fired,{count:c.number(a.fired)})}</b> <small>${l(`alerts.preview.of`,{count:c.number(a.of)})}</small></p>
    ${a.earthquakes.length>0?e`<details>
            <summary>${l(`alerts.preview.which`)}</summary>
            <ul class="fired">
              ${a.earthquakes.map(r=>e`<li>
                  <a href=${s(n,{id:r.id})}>M ${u(r.magnitude)} ${r.place??``}</a>
                  <small>${c.moment(r.timestamp)} · ${l(`exposure.away`,{distance:c.distance(r.distance_km)})}${r.expected_mmi===null?t:e` · ${l(`alerts.preview.expected`,{mmi:c.number(r.expected_mmi,1)})}`}</small>
                </li>`)}
            </ul>
          </details>`:t}
  </div>`}var ze=[1,8,24,168],q=null;function Be(t){return q??=new Ce(t),q.look(t.state.alert),e`<div class="scroll page alerts" tabindex="-1" id="rows">
    ${q.access===`open`?t.state.alert===null?He(t,q):Ge(t,q):Ve(q)}
  </div>`}function Ve(n){let r=e=>{e.preventDefault();let t=new FormData(e.target).get(`key`);n.enter(String(t??``).trim())},i=n.access===`off`||n.access===`closed`;return e`<h1 tabindex="-1">${l(`view.alerts`)}</h1>
    <p class="lead">${l(`alerts.lead`)}</p>
    ${n.access===`asks`||n.access===`open`?t:e`<p class="note bad" role="alert">${l(`alerts.access.${n.access}`)}</p>`}
    ${i?t:e`<form class="key" @submit=${r}>
            <label for="key">${l(`alerts.key`)}</label>
            <div class="line">
              <input id="key" name="key" type="password" autocomplete="off" required />
              <button class="solid" ?disabled=${n.busy}>${l(`alerts.enter`)}</button>
            </div>
            <small>${l(`alerts.key.what`)}</small>
          </form>`}`}function He(t,n){return e`<header class="head">
      <h1 tabindex="-1">${l(`view.alerts`)}</h1>
      <a class="button solid" id="new-alert" href=${s(t,{alert:`new`})}>${o(`plus`)}${l(`alerts.new`)}</a>
    </header>
    ${Q(n)}
    ${n.list.length===0?e`<p class="empty">${l(`alerts.none`)}</p>`:e`<ul class="subscriptions">
            ${n.list.map(e=>Ue(t,e))}
          </ul>`}
    <p class="soft small">${l(`alerts.notice`)} <button type="button" class="quiet" @click=${()=>n.leave()}>${l(`alerts.leave`)}</button></p>`}function Ue(t,n){return e`<li class="card">
    <a href=${s(t,{alert:n.id})}><b>${Y(t,n)}</b></a>
    <span>${J(t,n)}</span>
    <p>${X(t,n)} · ${Z(t,n)}</p>
    <p class="soft small">${We(n)}</p>
  </li>`}function J(t,n){let r=[],i=n.snooze_until_ms??0,a=(t,n=``)=>void r.push(e`<span class="tag status ${n}">${t}</span> `);i>t.realNow()&&a(l(`alerts.snoozed-until`,{time:t.format.moment(i)}),`warn`),n.unconfirmed.length>0?a(l(`alerts.unconfirmed`),`warn`):i<=t.realNow()&&a(l(`alerts.active`),`good`);for(let t of n.modes??[])t!==`actual`&&r.push(e`<span class="tag drill">${l(`mode.${t}`)}</span> `);return n.origin!==`api`&&a(l(`alerts.from-file`)),r}var Y=(e,t)=>t.name||X(e,t);function X(e,{where:t}){let i=D({where:t,how:{channels:[]}}),a=P(i);if(t.kind===`circle`&&a){let t=i.place||e.format.position(a),n=Number(i.radius);return n>0?l(`alerts.around`,{place:t,distance:e.format.distance(n)}):t}if(t.kind===`portfolio`){let{sites:e}=t;return r(`alerts.sites`,Array.isArray(e)?e.length:Number(e??0))}return i.country||i.region||(n(`alerts.where.${t.kind}`)??t.kind)}function Z(e,t){if(O(t))return l(`alerts.combined`);let{intensity:n,minMagnitude:r,maxMagnitude:i}=D(t),{format:a}=e,o=[n&&l(`alerts.shaking-from`,{mmi:a.number(Number(n),+!!n.includes(`.`))}),r&&`M ≥ ${a.number(Number(r),1)}`,i&&`M ≤ ${a.number(Number(i),1)}`].filter(Boolean);return o.length>0?o.join(`, `):l(`alerts.everything`)}function We({how:e}){let t=e.channels.map(({channel:e,url:t})=>/^mailtos?:/i.test(String(t??``))?l(`alerts.channel.email`):e===`webpush`?l(`alerts.channel.browser`):n(`alerts.channel.${e}`)??e);return[...new Set(t)].join(` · `)}function Q(n){let{said:r}=n;return e`<div role="status" id="said">${r?e`<p class="note ${r.bad?`bad`:`good`}">${r.text}</p>`:t}</div>`}function Ge(n,r){let{open:i,draft:a}=r,c=e`<a class="button back" href=${s(n,{alert:null})} id="back">${o(`back`)}${l(`view.alerts`)}</a>`;if(r.missing)return e`${c}<p class="empty">${l(`alerts.missing`)}</p>`;if(!a)return e`${c}<p class="empty">${l(`list.loading`)}</p>`;let u=i!==null&&i.origin!==`api`;return e`${c}
    <h1 tabindex="-1">${i?Y(n,i):l(`alerts.new`)}</h1>
    ${i?e`<p>${J(n,i)}</p>`:e`<p class="lead">${l(`alerts.new.what`)}</p>`}
    ${u?e`<p class="note">${l(`alerts.file.what`)}</p>`:t}
    ${i?Ke(n,r,i,a):t} ${Q(r)}
    ${i?Je(n,r):t}
    ${u?e`<p>${X(n,i)} · ${Z(n,i)}</p>`:e`<section>${i?e`<h2>${l(`alerts.change`)}</h2>`:t} ${ke(n,r,a)}</section>`}`}function Ke(n,r,i,a){let o=(i.snooze_until_ms??0)>n.realNow(),s=i.origin!==`api`;return e`<div class="buttons actions">
      <button type="button" id="test" ?disabled=${r.busy} @click=${()=>void r.test()}>${l(`alerts.test`)}</button>
      ${s?t:o?e`<button type="button" ?disabled=${r.busy} @click=${()=>void r.snooze(null)}>${l(`alerts.wake`)}</button>`:e`<label class="select"
                ><span class="hidden">${l(`alerts.snooze`)}</span>
                <select id="snooze" ?disabled=${r.busy} @change=${e=>{let t=e.target;r.snooze(Number(t.value)),t.value=``}}>
                  <option value="" selected disabled>${l(`alerts.snooze`)}</option>
                  ${ze.map(t=>e`<option value=${t}>${n.format.duration(t*36e5)}</option>`)}
                </select></label
              >`}
      ${s?t:r.removing?e`<span class="sure" role="group" aria-label=${l(`alerts.remove.sure`)}>
                ${l(`alerts.remove.sure`)}
                <button type="button" class="danger" id="remove-yes" @click=${()=>void r.remove()}>${l(`alerts.remove`)}</button>
                <button type="button" @click=${()=>$(n,r,!1)}>${l(`alerts.cancel`)}</button>
              </span>`:e`<button type="button" id="remove" ?disabled=${r.busy} @click=${()=>$(n,r,!0)}>${l(`alerts.remove`)}</button>`}
    </div>
    ${qe(n,r,i,a)}`}function $(e,t,n){t.removing=n,e.redraw(),document.getElementById(n?`remove-yes`:`remove`)?.focus()}function qe(n,r,i,a){let o=i.modes?.includes(`exercise`)??!1,s=P(a)??n.map?.camera()??{latitude:0,longitude:0},c=e=>{e.preventDefault();let t=new FormData(e.target);r.drill(Object.fromEntries([...t].map(([e,t])=>[e,Number(t)])))},u=(t,n,r,i,a)=>e`<div class="field">
    <label for=${`drill-${t}`}>${l(n)}</label>
    <input id=${`drill-${t}`} name=${t} type="number" required step="any" min=${i} max=${a} value=${r} />
  </div>`;return e`<details class="drill">
    <summary>${l(`alerts.drill`)}</summary>
    <p class="soft small">${l(o?`alerts.drill.what`:`alerts.drill.unasked`)}</p>
    ${o?e`<form @submit=${c}>
            <div class="fields">
              ${u(`magnitude`,`magnitude`,6.5,0,10)} ${u(`latitude`,`latitude`,Number(s.latitude.toFixed(2)),-90,90)}
              ${u(`longitude`,`longitude`,Number(s.longitude.toFixed(2)),-180,180)} ${u(`depth`,`alerts.depth`,10,0,700)}
            </div>
            <button id="drill" ?disabled=${r.busy}>${l(`alerts.drill.play`)}</button>
          </form>`:t}
  </details>`}function Je(i,a){let{format:o}=i;return e`<section>
    <h2>${l(`told`)}</h2>
    ${a.told.length===0?e`<p class="soft">${l(`told.none`)}</p>`:e`<ol class="steps told" tabindex="0" aria-label=${l(`told`)}>
            ${a.told.map(a=>e`<li>
    <time datetime=${new Date(a.created).toISOString()}>${o.moment(a.created)}</time>
    <span>
      ${a.mode===`actual`?t:e`<span class="tag drill">${l(`mode.${a.mode}`)}</span>`}
      <b>${n(`told.kind.${a.kind}`)??a.kind}</b> ·
      <span class="state ${a.state}">${n(`told.state.${a.state}`)??a.state}</span>
      ${a.earthquake?e` · <a href=${s(i,{id:a.earthquake})}>${l(`view.detail`)}</a>`:t}
      <small
        >${n(`alerts.channel.${a.channel===`webpush`?`browser`:a.channel}`)??a.channel}${a.attempts>1?e` · ${r(`told.attempts`,a.attempts)}`:t}${a.why?e` · ${a.why}`:t}</small
      >
    </span>
  </li>`)}
          </ol>`}
  </section>`}export{Be as alertsView};